//! MessageLabs and Symantec: a descendant of qmail that signs as `messagelabs.com`.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "symantec",
    signs: &[
        Sign::Field("received", "messagelabs.com"),
        Sign::Field("from", "messagelabs"),
        Sign::Field("x-msg-ref", "messagelabs"),
    ],
    refine: None,
};
