//! SurfControl E-mail Filter: `Failed to send to identified host,`, recipient, address and reply.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "surfcontrol",
    signs: &[
        Sign::Field("x-mailer", "surfcontrol"),
        Sign::Text("failed to send to identified host"),
        Sign::Field("received", "surfcontrol"),
    ],
    refine: None,
};
