//! Sun, Oracle and iPlanet Messaging Server: `Recipient address:`, `Reason:`, `Diagnostic code:`, `Remote system:`.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "messaging-server",
    signs: &[
        Sign::Text("this report relates to a message you sent with the following header fields"),
        Sign::Field("received", "(oracle communications messaging"),
        Sign::Field("received", "(sun java"),
        Sign::Field("received", "(iplanet messaging"),
    ],
    refine: None,
};
