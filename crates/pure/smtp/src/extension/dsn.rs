//! DSN (RFC 3461): the originator says which DSNs it wants.
//!
//! | parameter | at   | value                                       |
//! | RET       | MAIL | FULL or HDRS                                |
//! | ENVID     | MAIL | xtext, up to 100 characters                 |
//! | NOTIFY    | RCPT | NEVER, or a list of SUCCESS, FAILURE, DELAY |
//! | ORCPT     | RCPT | type;xtext, up to 500 characters            |

use super::{Extension, Features, Ground, Lines, Offered};
use crate::{
    envelope::{Envelope, Notify, Recipient, Ret},
    reply::Reply,
    xtext,
};

/// RFC 3461 section 4.4.
const ENVID_LENGTH_MAX: usize = 100;
/// RFC 3461 section 4.2.
const ORCPT_LENGTH_MAX: usize = 500;

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::DSN,
    specified: "RFC 3461",
    offered: Offered::Always,
    switch: "",
    server: "Reports go out as NOTIFY and RET ask.",
    client: "Passed on; who lacks it is reported as `relayed`.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::DSN) {
        lines.push("DSN");
    }
}

pub(super) fn read_ret(
    _: &Ground<'_>,
    value: Option<&str>,
    into: &mut Envelope,
) -> Result<(), Reply> {
    into.ret = Some(match value {
        Some(value) if value.eq_ignore_ascii_case("FULL") => Ret::Full,
        Some(value) if value.eq_ignore_ascii_case("HDRS") => Ret::Headers,
        _ => return Err(Reply::bad_parameter("RET is FULL or HDRS")),
    });
    Ok(())
}

pub(super) fn read_envid(
    _: &Ground<'_>,
    value: Option<&str>,
    into: &mut Envelope,
) -> Result<(), Reply> {
    let valid =
        |text: &&str| (1..=ENVID_LENGTH_MAX).contains(&text.len()) && xtext::is_printable(text);
    let wrong = || Reply::bad_parameter("ENVID is xtext of 1 to 100 characters");
    into.envid = Some(value.filter(valid).ok_or_else(wrong)?.into());
    Ok(())
}

pub(super) fn read_notify(
    _: &Ground<'_>,
    value: Option<&str>,
    into: &mut Recipient,
) -> Result<(), Reply> {
    let value = value.unwrap_or_default();
    if value.eq_ignore_ascii_case("NEVER") {
        into.notify = Notify::NEVER;
        return Ok(());
    }
    let mut notify = Notify::NEVER;
    for word in value.split(',') {
        let flag = match () {
            () if word.eq_ignore_ascii_case("SUCCESS") => &mut notify.success,
            () if word.eq_ignore_ascii_case("FAILURE") => &mut notify.failure,
            () if word.eq_ignore_ascii_case("DELAY") => &mut notify.delay,
            () => {
                let right = "NOTIFY is NEVER, or SUCCESS,FAILURE,DELAY or some of them";
                return Err(Reply::bad_parameter(right));
            }
        };
        *flag = true;
    }
    into.notify = notify;
    Ok(())
}

pub(super) fn read_orcpt(
    _: &Ground<'_>,
    value: Option<&str>,
    into: &mut Recipient,
) -> Result<(), Reply> {
    let valid = |text: &&str| text.len() <= ORCPT_LENGTH_MAX && is_typed_address(text);
    let wrong =
        || Reply::bad_parameter("ORCPT is an address in xtext, like rfc822;user@example.org");
    into.orcpt = Some(value.filter(valid).ok_or_else(wrong)?.into());
    Ok(())
}

/// `addr-type;address`, where the type is an atom.
fn is_typed_address(text: &str) -> bool {
    let Some((kind, address)) = text.split_once(';') else { return false };
    let atom = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    if kind.is_empty() || address.is_empty() || !kind.bytes().all(atom) {
        return false;
    }
    if kind.eq_ignore_ascii_case("utf-8") {
        // RFC 6533 section 3: `\x{20AC}`, or the character itself, instead of xtext.
        return address.chars().all(|c| !c.is_control() && !matches!(c, ' ' | '+' | '='));
    }
    xtext::is_printable(address)
}
