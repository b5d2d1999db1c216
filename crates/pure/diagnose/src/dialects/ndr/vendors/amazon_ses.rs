//! Amazon SES and WorkMail: a short sentence, and everything in the machine-readable part; or JSON by SNS.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "amazon-ses",
    signs: &[
        Sign::Field("from", "amazonses.com"),
        Sign::Field("received", "amazonses.com"),
        Sign::Field("x-amzn-remote-server", ""),
        Sign::Field("x-ses-outgoing", ""),
        Sign::Field("x-amz-sns-message-id", ""),
        Sign::Reporting("amazonses.com"),
        Sign::Text(
            "an error occurred while trying to deliver the mail to the following recipients",
        ),
    ],
    refine: None,
};
