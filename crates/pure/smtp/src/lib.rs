//! The language of SMTP (RFC 5321) and LMTP (RFC 2033), without a socket, a clock or a disk.
//!
//! Everything here is a value: [`server::Server`] and [`client::Client`] are machines that are fed
//! bytes and times and hand out bytes and questions. Whoever drives them owns the socket, the timers
//! and the policy. Both write the [`Transcript`] themselves, so no driver can forget to.
//!
//! Time is a [`Duration`](std::time::Duration) since an origin that the driver chooses (the start of
//! the connection); a calendar time is a [`Timestamp`].

pub mod address;
pub mod client;
pub mod command;
pub mod envelope;
pub mod extension;
pub mod outcome;
pub mod reply;
pub mod server;
pub mod status;
pub mod time;
pub mod transcript;
mod unconfirmed;
pub mod xtext;

pub use address::{Address, ForwardPath, ReversePath};
pub use envelope::{
    BodyType, ByMode, DeliverBy, Envelope, Hold, Notify, Recipient, Ret, ValidSince,
};
pub use outcome::{Attempt, Cause, Outcome, Stage, Trouble};
pub use reply::{Proof, Reply};
pub use status::EnhancedStatus;
pub use time::Timestamp;
pub use transcript::{Party, TlsFacts, Transcript};
pub use unconfirmed::Unconfirmed;
