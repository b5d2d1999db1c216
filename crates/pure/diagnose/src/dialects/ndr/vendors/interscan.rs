//! Trend Micro InterScan: a few words in a frame of asterisks.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "interscan",
    signs: &[
        Sign::Text("interscan"),
        Sign::Field("from", "interscan"),
        Sign::Field("received", "interscan"),
    ],
    refine: None,
};
