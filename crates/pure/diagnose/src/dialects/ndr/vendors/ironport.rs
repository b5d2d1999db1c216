//! Cisco's ESA (IronPort): `The following message to <recipient> was undeliverable.`, `The reason for the problem:`.

use super::{super::parts::Parts, Sign, Vendor};
use crate::testimony::{Speaker, Testimony};

pub(super) const VENDOR: Vendor = Vendor {
    name: "ironport",
    signs: &[
        Sign::Text("was undeliverable.\nthe reason for the problem:"),
        Sign::Field("received", "ironport"),
        Sign::Field("x-ironport-anti-spam-filtered", ""),
    ],
    refine: Some(refine),
};

/// `5.1.0 - Unknown address error 550-'...'` quotes another server, which it does not name.
fn refine(_: &Parts, testimony: &mut Testimony) {
    if testimony.reply.is_some() && testimony.speaker == Speaker::Unknown {
        testimony.speaker = Speaker::RemoteUnnamed;
    }
}
