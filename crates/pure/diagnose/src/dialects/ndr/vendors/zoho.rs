//! Zoho: `recipient Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1.1 ...`.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "zoho",
    signs: &[
        Sign::Field("x-zohomail", ""),
        Sign::Field("user-agent", "zoho"),
        Sign::Text("error_code :"),
        Sign::Field("from", "zoho.com"),
    ],
    refine: None,
};
