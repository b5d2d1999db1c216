//! Sendmail 8: a `Transcript of session follows` whose `>>>` lines are commands and `<<<` lines replies.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "sendmail",
    signs: &[
        Sign::Text("----- transcript of session follows -----"),
        Sign::Text("----- the following addresses had permanent fatal errors -----"),
        Sign::Text("----- the following addresses had transient non-fatal errors -----"),
        Sign::Text("... while talking to"),
        // What stands around the dialogue is translated; its marks are not.
        Sign::Text("\n<<< 4"),
        Sign::Text("\n<<< 5"),
    ],
    refine: None,
};
