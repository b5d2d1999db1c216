//! Gmail and Google Workspace: `The error that the other server returned was:` or `The response (from the remote server) was:`, with a state number that stands for the step.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "gmail",
    signs: &[
        Sign::Field("from", "mailer-daemon@googlemail.com"),
        Sign::Field("from", "mail delivery subsystem <mailer-daemon@google"),
        Sign::Text("technical details of permanent failure"),
        Sign::Text("technical details of temporary failure"),
        Sign::Text("google tried to deliver your message"),
        Sign::Field("from", "@googlegroups.com"),
        Sign::Reporting("googlemail.com"),
    ],
    refine: None,
};
