//! ATRN (RFC 2645, on-demand mail relay): a customer without a fixed address signs in and asks for its
//! mail over this very connection. After `250` the roles are swapped: we are the client, and the
//! customer greets us.
//!
//! `ATRN`, or `ATRN domain,domain`. Only after AUTH, and only for domains that the user may have.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::ATRN,
    specified: "RFC 2645",
    offered: Offered::Never,
    switch: "`users.*.odmr`: whose domains",
    server: "After AUTH, the user gets the mail of its domains over this connection.",
    client: "`[[odmr]]` asks a provider for our mail.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::ATRN) {
        lines.push("ATRN");
    }
}

/// Domains of one command; more of them are more than a line has room for.
const DOMAINS_MAX: usize = 100;

/// The domains of ATRN's argument, lower case; none at all means all that the user may have. `None` if
/// one is no domain.
pub(crate) fn domains(argument: &str) -> Option<Vec<Box<str>>> {
    if argument.is_empty() {
        return Some(Vec::new());
    }
    let names = argument.split(',').map(str::trim);
    let domains: Option<Vec<Box<str>>> = names
        .map(|name| {
            crate::address::check_domain(name).is_ok().then(|| name.to_ascii_lowercase().into())
        })
        .collect();
    domains.filter(|domains| domains.len() <= DOMAINS_MAX)
}
