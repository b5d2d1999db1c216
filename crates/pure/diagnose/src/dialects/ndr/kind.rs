//! What kind of message it is: a failure, a delay, a success, a complaint, an automatic answer, or none.

use super::{Kind, UNKNOWN_DIALECT, parts::Parts};
use crate::testimony::{Fate, Testimony};

/// Decided by the machine-readable parts where there are some, else by who wrote and what the subject is.
pub(super) fn of(parts: &Parts, reports: &[Testimony]) -> Kind {
    if parts.feedback || parts.field_has("content-type", "feedback-report") {
        return Kind::Feedback;
    }
    if is_receipt(parts) {
        return Kind::Receipt;
    }
    if is_complaint(parts) {
        return Kind::Feedback;
    }
    if reports.is_empty() && is_automatic_answer(parts) || is_marked_as_answer(parts, reports) {
        return Kind::AutoReply;
    }
    let all = |fate: Fate| !reports.is_empty() && reports.iter().all(|report| report.fate == fate);
    if all(Fate::Delivered) {
        Kind::Success
    } else if all(Fate::Deferred) {
        Kind::Delay
    } else if !reports.is_empty() {
        Kind::Failure
    } else {
        Kind::Other
    }
}

/// Whether it is a receipt, and not a rejection that a mailbox sends in a receipt's form (Sieve's `reject`,
/// Dovecot's quota; RFC 5429 section 2.1).
pub(super) fn is_receipt(parts: &Parts) -> bool {
    let is_one = parts.disposition || parts.field_has("content-type", "disposition-notification");
    let text = parts.text.to_lowercase();
    let rejects = text.contains("was automatically rejected")
        || text.contains("message was rejected")
        || parts.field_has("auto-submitted", "rejected");
    is_one && !rejects
}

/// Complaints from before ARF, and summaries of it.
fn is_complaint(parts: &Parts) -> bool {
    let text = parts.text.to_lowercase();
    let subject = parts.field("subject").unwrap_or("").trim().to_lowercase();
    // What Microsoft's and others' loops send: a subject, and the message.
    (subject.starts_with("complaint about message from") && parts.has_returned)
        || text.contains("email abuse report for an email message")
        || (text.contains("feedback-type:") && text.contains("user-agent:"))
}

/// Whether a message that a machine sent in answer to ours is no report (RFC 3834).
pub(super) fn is_automatic_answer(parts: &Parts) -> bool {
    let subject = parts.field("subject").unwrap_or("").trim().to_lowercase();
    const SUBJECTS: [&str; 16] = [
        "auto:",
        "auto-reply",
        "autoreply",
        "automatic reply",
        "automatische antwort",
        "out of office",
        "out of the office",
        "abwesen",
        "réponse automatique",
        "respuesta automática",
        "risposta automatica",
        "vacation",
        "away from",
        "autoresponse",
        "resposta automática",
        "自動返信",
    ];
    let by_subject =
        SUBJECTS.iter().any(|start| subject.starts_with(start) || subject.contains(start));
    let by_field = parts.field_has("auto-submitted", "auto-replied")
        || parts.field("x-autoreply").is_some()
        || parts.field("x-autorespond").is_some()
        || parts.field("x-auto-response-suppress").is_some() && by_subject
        || parts.field_has("precedence", "auto_reply")
        || parts.field_has("precedence", "auto-reply");
    let from_daemon = is_from_daemon(parts);
    (by_field && !from_daemon && !parts.field_has("content-type", "report-type"))
        || (by_subject && !from_daemon)
}

/// Whether it calls itself `auto-replied`, which reports should not (RFC 3834 section 5.1), and has nothing of
/// a report's form: neither a machine-readable part nor a known mailer's words. What it says is read all the
/// same. (Exim's reports call themselves that, too; they have their own field and words.)
fn is_marked_as_answer(parts: &Parts, reports: &[Testimony]) -> bool {
    parts.field_has("auto-submitted", "auto-replied")
        && parts.status.is_empty()
        && parts.field("x-failed-recipients").is_none()
        && reports.iter().all(|report| report.dialect == UNKNOWN_DIALECT)
}

/// Whether the author is a mail system, or the reverse-path null.
pub(super) fn is_from_daemon(parts: &Parts) -> bool {
    const NAMES: [&str; 10] = [
        "mailer-daemon",
        "mailer_daemon",
        "post_master",
        "postmaster",
        "mail delivery s",
        "mail delivery sub",
        "mdaemon@",
        "mail-daemon",
        "mailerdaemon",
        "mail administrator",
    ];
    NAMES.iter().any(|name| parts.field_has("from", name))
}

/// Whether the message presents itself as a report about mail.
pub(super) fn is_report(parts: &Parts) -> bool {
    const SUBJECTS: [&str; 38] = [
        "undeliver",
        "delivery fail",
        "delivery status",
        "delivery notif",
        "delivery problem",
        "delivery error",
        "delivery report",
        "delivery has",
        "delivery delay",
        "delivery incomplete",
        "returned mail",
        "returned to sender",
        "failure notice",
        "failure delivery",
        "mail could not",
        "mail delivery",
        "mail system error",
        "mail failure",
        "message delivery",
        "message undeliv",
        "message you sent",
        "non remis",
        "nicht zustell",
        "unzustellbar",
        "warning: could not send",
        "warning: message",
        "unable to deliver",
        "could not be delivered",
        "rejected",
        "não entreg",
        "no se pudo entregar",
        "mancato recapito",
        "не доставлен",
        "配信",
        "エラー",
        "送信でき",
        "不達",
        "退信",
    ];
    let subject = parts.field("subject").unwrap_or("").to_lowercase();
    // A text without any header section was pasted because somebody takes it for a report.
    parts.fields.is_empty()
        || !parts.status.is_empty()
        || is_from_daemon(parts)
        || parts.field("x-failed-recipients").is_some()
        || parts.field_has("content-type", "delivery-status")
        || parts.field("return-path").is_some_and(|path| path.trim() == "<>")
        || SUBJECTS.iter().any(|words| subject.contains(words))
}
