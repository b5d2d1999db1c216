//! Notifications of Amazon SES in JSON (by SNS, as a mail or as a file), put into the fields of RFC 3464, so that
//! the rest reads them like any report. Complaints become feedback.

use serde_json::Value;

/// So many recipients of one notification are read.
const RECIPIENTS_MAX: usize = 1_000;
/// Of each text so many octets.
const TEXT_MAX: usize = 2_000;

/// What a notification tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notification {
    /// Fields as in a `message/delivery-status` part.
    Status(String),
    /// A recipient called it spam.
    Complaint,
}

/// The notification in `text`, if there is one.
pub(super) fn read(text: &str) -> Option<Notification> {
    const KINDS: [&str; 2] = ["\"notificationType\"", "\"eventType\""];
    let at = KINDS.iter().filter_map(|kind| text.find(kind)).min()?;
    let start = text[..at].rfind('{')?;
    // Sendmail breaks lines that are longer than 990 octets by `!`, a line end and a blank.
    let whole = text[start..].replace("!\r\n ", "").replace("!\n ", "");
    // Behind the value stands how to unsubscribe.
    let mut values = serde_json::Deserializer::from_str(&whole).into_iter::<Value>();
    let value = values.next()?.ok()?;
    let kind = KINDS.iter().find_map(|kind| text_of(&value, kind.trim_matches('"')))?;
    match kind.to_ascii_lowercase().as_str() {
        "complaint" => Some(Notification::Complaint),
        "bounce" => {
            let bounce = value.get("bounce")?;
            let fate = if text_of(bounce, "bounceType") == Some("Transient") {
                "delayed"
            } else {
                "failed"
            };
            status(bounce, bounce.get("bouncedRecipients")?, fate)
        }
        "delivery" => {
            let delivery = value.get("delivery")?;
            status(delivery, delivery.get("recipients")?, "delivered")
        }
        _ => None,
    }
}

fn status(part: &Value, recipients: &Value, fate: &str) -> Option<Notification> {
    let mut fields = String::new();
    let mut field = |name: &str, value: &str| {
        let value: String = value.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect();
        fields.push_str(&format!("{name}: {value}\n"));
    };
    let reporting = text_of(part, "reportingMTA").unwrap_or("dns; amazonses.com");
    // They write `dsn; host`.
    let host = reporting.rsplit(';').next().unwrap_or(reporting).trim();
    field("Reporting-MTA", &format!("dns; {host}"));
    for recipient in recipients.as_array()?.iter().take(RECIPIENTS_MAX) {
        let address = recipient.as_str().or_else(|| text_of(recipient, "emailAddress"))?;
        field("\nFinal-Recipient", &format!("rfc822; {address}"));
        field("Action", text_of(recipient, "action").unwrap_or(fate));
        if let Some(status) = text_of(recipient, "status") {
            field("Status", status);
        }
        let diagnostic = text_of(recipient, "diagnosticCode");
        if let Some(diagnostic) = diagnostic.or_else(|| text_of(part, "smtpResponse")) {
            let kind = if diagnostic.contains(';') { "" } else { "smtp; " };
            field("Diagnostic-Code", &format!("{kind}{diagnostic}"));
        }
        if let Some(host) = text_of(part, "remoteMtaIp") {
            field("Remote-MTA", &format!("dns; {host}"));
        }
    }
    Some(Notification::Status(fields))
}

fn text_of<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounce_with_what_stands_around_it() {
        let text = "Hello\n{\"notificationType\":\"Bounce\",\"bounce\":{\"bounceType\":\"Permanent\",!\n \
            \"reportingMTA\":\"dsn; a1.amazonses.com\",\"bouncedRecipients\":[{\"emailAddress\":\"bob@b.test\",\
            \"status\":\"5.1.1\",\"action\":\"failed\",\"diagnosticCode\":\"smtp; 550 5.1.1 unknown\"}]}}\n--\nunsubscribe";
        let Some(Notification::Status(fields)) = read(text) else { panic!("none in {text}") };
        for line in [
            "Reporting-MTA: dns; a1.amazonses.com",
            "Final-Recipient: rfc822; bob@b.test",
            "Action: failed",
            "Status: 5.1.1",
            "Diagnostic-Code: smtp; 550 5.1.1 unknown",
        ] {
            assert!(fields.lines().any(|found| found == line), "{line} in {fields}");
        }
    }

    #[test]
    fn complaints_deliveries_and_what_is_none() {
        let complaint = r#"{"eventType":"Complaint","complaint":{}}"#;
        assert_eq!(read(complaint), Some(Notification::Complaint));
        let delivery = r#"{"notificationType":"Delivery","delivery":{"recipients":["bob@b.test"],"smtpResponse":"250 ok"}}"#;
        let Some(Notification::Status(fields)) = read(delivery) else { panic!("none") };
        assert!(
            fields.contains("Action: delivered") && fields.contains("smtp; 250 ok"),
            "{fields}"
        );
        for text in ["", "\"eventType\"", "{\"eventType\":", r#"{"eventType":"Open"}"#, "{}"] {
            assert_eq!(read(text), None, "{text}");
        }
        // No field can be made by a line end within a value.
        let forged = r#"{"eventType":"Bounce","bounce":{"bouncedRecipients":[{"emailAddress":"b@b.test\nAction: relayed"}]}}"#;
        let Some(Notification::Status(fields)) = read(forged) else { panic!("none") };
        assert!(!fields.lines().any(|line| line == "Action: relayed"), "{fields}");
    }
}
