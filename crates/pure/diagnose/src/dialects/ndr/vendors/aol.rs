//! AOL: a machine-readable part, and Sendmail's transcript.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "aol",
    signs: &[Sign::Field("received", "mx.aol.com"), Sign::Field("from", "@aol.com")],
    refine: None,
};
