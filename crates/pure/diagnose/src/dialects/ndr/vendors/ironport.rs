//! Cisco's ESA (IronPort): `The following message to <recipient> was undeliverable.`, `The reason for the problem:`.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "ironport",
    signs: &[
        Sign::Text("was undeliverable.\nthe reason for the problem:"),
        Sign::Field("received", "ironport"),
        Sign::Field("x-ironport-anti-spam-filtered", ""),
    ],
    refine: None,
};
