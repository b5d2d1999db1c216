//! The Japanese mobile carriers (au, EZweb, docomo, SoftBank): often the recipient and nothing else, sometimes a sentence.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "kddi",
    signs: &[
        Sign::Field("from", "ezweb.ne.jp"),
        Sign::Field("received", "ezweb.ne.jp"),
        Sign::Field("from", "au.com"),
        Sign::Field("from", "dion.ne.jp"),
        Sign::Field("from", "docomo.ne.jp"),
        Sign::Text("could not be delivered to: <"),
        Sign::Text("each of the following recipients was rejected by a remote mail server"),
    ],
    refine: None,
};
