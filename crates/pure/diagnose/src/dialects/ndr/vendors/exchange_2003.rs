//! Exchange 5.5 to 2003: `did not reach the following recipient(s)`, a sentence, then `<host #5.1.1 smtp;550 ...>` or `MSEXCH:IMS:...`.

use super::{Sign, Vendor, exchange::refine};

pub(super) const VENDOR: Vendor = Vendor {
    name: "exchange-2003",
    signs: &[
        Sign::Text("did not reach the following recipient(s):"),
        Sign::Text("msexch:"),
        Sign::Text("your message did not reach some or all of the intended recipients"),
        Sign::Field("x-mailer", "internet mail service"),
        Sign::Field("x-mimeole", "produced by microsoft exchange"),
    ],
    refine: Some(refine),
};
