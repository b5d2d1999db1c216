//! Digital Arts m-FILTER: `-------server message`, the reply, `-------SMTP command`, the command.

use super::{Sign, Vendor};

pub(super) const VENDOR: Vendor = Vendor {
    name: "m-filter",
    signs: &[Sign::Field("x-mailer", "m-filter"), Sign::Text("-------server message")],
    refine: Some(refine),
};

use smtp::Stage;

use super::super::parts::Parts;
use crate::testimony::Testimony;

fn refine(parts: &Parts, testimony: &mut Testimony) {
    let mut lines = parts.text.lines().map(|line| line.trim().to_ascii_lowercase());
    let heading = lines.find(|line| line.trim_start_matches('-') == "smtp command");
    let stage = match heading.and_then(|_| lines.next()).as_deref() {
        Some("data") => Stage::EndOfData,
        Some(command) if command.starts_with("rcpt") => Stage::Rcpt,
        Some(command) if command.starts_with("mail") => Stage::Mail,
        Some(command) if command.starts_with("ehlo") || command.starts_with("helo") => Stage::Ehlo,
        _ => return,
    };
    testimony.stage = Some(stage);
    testimony.stage_is_told = true;
}
