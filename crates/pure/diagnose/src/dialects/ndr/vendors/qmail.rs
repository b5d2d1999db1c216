//! qmail and its many descendants: `<recipient>:` on a line, then what happened in whole sentences.

use super::{super::parts::Parts, Sign, Vendor};
use crate::testimony::Testimony;

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
    refine: Some(refine),
};

/// It closes each refusal with `Giving up on 192.0.2.1.`, which is no part of the reason.
fn refine(_: &Parts, testimony: &mut Testimony) {
    if let Some(at) = testimony.words.rfind("Giving up on ") {
        let is_last = testimony.words[at..].trim_end().matches(' ').count() == 3;
        if is_last {
            testimony.words.truncate(testimony.words[..at].trim_end().len());
        }
    }
}
