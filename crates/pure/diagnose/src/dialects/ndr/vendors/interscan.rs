//! Trend Micro InterScan: a few words in a frame of asterisks, the reason behind `Reason:`.

use super::{super::parts::Parts, Sign, Vendor};
use crate::testimony::Testimony;

pub(super) const VENDOR: Vendor = Vendor {
    name: "interscan",
    signs: &[
        Sign::Text("interscan"),
        Sign::Field("from", "interscan"),
        Sign::Field("received", "interscan"),
    ],
    refine: Some(refine),
};

/// Where no server's words are quoted, the reason is what is left without the frame.
fn refine(_: &Parts, testimony: &mut Testimony) {
    let Some((_, reason)) = testimony.words.split_once("Reason:") else { return };
    if testimony.reply.is_none() {
        let end = reason.find("***").unwrap_or(reason.len());
        testimony.words = reason[..end].trim().to_owned();
    }
}
