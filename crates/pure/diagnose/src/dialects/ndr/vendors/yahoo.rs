//! Yahoo: `<recipient>:`, `Remote host said:`, the reply, and the command in brackets.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "yahoo",
    signs: &[
        Sign::Text("sorry, we were unable to deliver your message to the following address"),
        Sign::Field("received", "yahoo.com"),
        Sign::Field("from", "@yahoo."),
    ],
    refine: None,
};
