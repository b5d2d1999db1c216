//! qmail and its many descendants: `<recipient>:` on a line, then what happened in whole sentences.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "qmail",
    signs: &[
        Sign::Text("this is the qmail-send program"),
        Sign::Text("hi. this is the"),
        Sign::Text("i'm afraid i wasn't able to deliver your message"),
        Sign::Text("remote host said:"),
        Sign::Field("received", "(qmail "),
        Sign::Text("qmail-send"),
        Sign::Text("deliver mail to local user"),
    ],
    refine: None,
};
