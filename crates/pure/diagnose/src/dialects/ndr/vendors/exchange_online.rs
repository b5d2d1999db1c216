//! Exchange Online and Outlook.com: readable text first, then "Diagnostic information for administrators" and `Remote Server returned '...'`, which quotes the server that refused.

use super::{Sign, Vendor, exchange::refine};

pub(super) const VENDOR: Vendor = Vendor {
    name: "exchange-online",
    signs: &[
        Sign::Text("remote server returned '"),
        Sign::Field("x-ms-exchange-crosstenant-id", ""),
        Sign::Field("received", "outlook.com"),
        Sign::Field("from", "@hotmail.com"),
        Sign::Reporting("outlook.com"),
        Sign::Reporting("hotmail.com"),
    ],
    refine: Some(refine),
};
