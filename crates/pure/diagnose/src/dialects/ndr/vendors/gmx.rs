//! GMX and 1&1 (kundenserver): the recipient, then a sentence, or Exim's words.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "gmx",
    signs: &[
        Sign::Field("received", "kundenserver.de"),
        Sign::Field("from", "gmx."),
        Sign::Field("received", "gmx.net"),
        Sign::Field("x-gmx-antispam", ""),
        Sign::Field("x-ui-out-filterresults", ""),
    ],
    refine: None,
};
