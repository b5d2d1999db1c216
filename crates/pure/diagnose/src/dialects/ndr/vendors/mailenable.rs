//! MailEnable: `MailEnable: Message Delivery Failure`, the reply on the line behind `Reason:`.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "mailenable",
    signs: &[
        Sign::Text("mailenable"),
        Sign::Field("received", "mailenable"),
        Sign::Field("from", "mailenable"),
    ],
    refine: None,
};
