//! Ipswitch IMail: `Unknown user: recipient`, `Delivery failed 20 attempts: recipient`.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "imail",
    signs: &[
        Sign::Field("x-mailer", "<smtp32"),
        Sign::Text("body of message generated response:"),
        Sign::Text("unknown user: "),
    ],
    refine: None,
};
