//! Who is who: the back ends that know users, and the questions of a SASL exchange answered by them.
//!
//! [`Accounts`] has the back ends of a configuration in their order. A password is shown to one after the
//! other until one says yes. The first that knows the name decides: the others are still asked, so that
//! the time tells nothing, and their answers don't count, or whoever may add a name further down could
//! become somebody further up. Mechanisms that show no password are answered by the first back end that
//! can ([`Accounts::mechanisms`] says which there are); what Dovecot does by itself is relayed to it
//! ([`dovecot::Relay`]).
//!
//! | back end        | knows                                   | asks                                  |
//! |-----------------|-----------------------------------------|---------------------------------------|
//! | [`users`]       | passwords' hashes, SCRAM keys, secrets  | nobody                                |
//! | [`dovecot`]     | whatever Dovecot does                   | its auth socket                       |
//! | [`ldap`]        | passwords                               | a directory, by search and bind       |
//! | [`saslauthd`]   | passwords                               | Cyrus's daemon, which asks PAM        |
//! | [`checkpassword`] | passwords                             | a program                             |
//! | [`oauth`]       | tokens                                  | keys of their issuer, or himself      |
//! | [`certificate`] | certificates                            | nobody                                |
//!
//! *No* is told from *nobody can tell now*: one is 535, the other 454. Where a back end is out of reach and
//! none says yes, nobody knows.

pub mod certificate;
pub mod checkpassword;
pub mod dovecot;
pub mod ldap;
pub mod oauth;
pub mod saslauthd;
pub mod settings;
pub mod users;
mod verdict;

mod accounts;

pub use accounts::{Accounts, AccountsError, Answered};
pub use settings::Settings;
pub use verdict::{Account, Told, Verdict, Visit};
