//! ezmlm: qmail's report about a program that refused for the list: `ezmlm-reject: fatal: Sorry, ...`.

use smtp::Stage;

use super::{super::parts::Parts, Sign, Vendor};
use crate::testimony::{Speaker, Testimony};

pub(super) const VENDOR: Vendor = Vendor {
    name: "ezmlm",
    signs: &[
        Sign::Text("ezmlm-reject: "),
        Sign::Text("ezmlm-issubn: "),
        Sign::Text("ezmlm-gate: "),
        Sign::Text("ezmlm-send: "),
        Sign::Text("ezmlm-manage: "),
        Sign::Text("ezmlm-store: "),
    ],
    refine: Some(refine),
};

/// The list's program runs where the message was delivered to.
fn refine(_: &Parts, testimony: &mut Testimony) {
    testimony.speaker = Speaker::Writer;
    testimony.stage = Some(Stage::Mailbox);
    testimony.stage_is_told = true;
}
