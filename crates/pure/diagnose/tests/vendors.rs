//! Reports in each vendor's format, of our own making: `tests/ndr/NAME.eml`, and what has to be read out of it.
#![allow(clippy::disallowed_methods, reason = "a test reads its fixtures from files")]

use std::{fs, path::Path};

use diagnose::{
    Class,
    class::class_of_testimony,
    dialects::ndr::{self, Kind},
    testimony::Speaker,
};
use smtp::Stage;

/// File, dialect, kind, speaker (empty: the writer itself; `-`: not told; `?`: another, not named), stage, class.
type Row = (&'static str, &'static str, Kind, &'static str, Option<Stage>, Class);

use Class::{
    Authentication, Blocklisted, Expired, Greylisted, MailboxFull, Network, NoSuchHost, NoSuchUser,
    Policy, RecipientRefuses, RelayDenied, SenderRefused, Spam, Syntax, Tls, TooLarge,
};
use Kind::{AutoReply, Delay, Failure};

const RCPT: Option<Stage> = Some(Stage::Rcpt);
const END: Option<Stage> = Some(Stage::EndOfData);
const ROUTING: Option<Stage> = Some(Stage::Routing);
const MAILBOX: Option<Stage> = Some(Stage::Mailbox);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("amazon-ses", "amazon-ses", Failure, "?", None, Expired),
    ("amazon-ses-json", "amazon-ses", Failure, "192.0.2.9", RCPT, MailboxFull),
    ("symantec", "symantec", Failure, "192.0.2.9", RCPT, RelayDenied),
    ("mimecast", "mimecast", Failure, "mx.b.test", RCPT, NoSuchUser),
    ("mimecast-blocked", "mimecast", Failure, "eu-smtp-inbound-1.mimecast.com", RCPT, RecipientRefuses),
    ("zimbra", "zimbra", Failure, "zimbra.b.test", RCPT, MailboxFull),
    ("mail-ru", "mail-ru", Failure, "mx.b.test", RCPT, NoSuchUser),
    ("yandex", "yandex", Failure, "mx.b.test", END, Spam),
    ("zoho", "zoho", Failure, "-", RCPT, NoSuchUser),
    ("gmx", "gmx", Failure, "mx.b.test", RCPT, NoSuchUser),
    ("aol", "aol", Failure, "air-m1.mail.aol.com", RCPT, RecipientRefuses),
    ("interscan", "interscan", Failure, "-", RCPT, NoSuchUser),
    ("mcafee", "mcafee", Failure, "-", MAILBOX, NoSuchUser),
    ("barracuda", "barracuda", Failure, "?", END, Spam),
    ("surfcontrol", "surfcontrol", Failure, "192.0.2.9", RCPT, NoSuchUser),
    ("ironport", "ironport", Failure, "?", RCPT, NoSuchUser),
    ("ironport-expired", "ironport", Failure, "", None, Expired),
    ("mailenable", "mailenable", Failure, "?", RCPT, RecipientRefuses),
    ("groupwise", "groupwise", Failure, "-", RCPT, NoSuchUser),
    ("hmailserver", "hmailserver", Failure, "192.0.2.9", RCPT, Blocklisted),
    ("courier", "courier", Failure, "mx.b.test", RCPT, NoSuchUser),
    ("ezmlm", "ezmlm", Failure, "", MAILBOX, TooLarge),
    ("ezmlm-members", "ezmlm", Failure, "", MAILBOX, SenderRefused),
    ("exchange-2003", "exchange-2003", Failure, "exsrv.a.test", RCPT, RelayDenied),
    ("exchange-2003-sequence", "exchange-2003", Failure, "relay.provider.test", RCPT, Syntax),
    ("exchange-2003-german", "exchange-2003", Failure, "exsrv.a.test", MAILBOX, NoSuchUser),
    ("exchange-2010-relay", "exchange-2007", Failure, "relay.provider.test", RCPT, Syntax),
    ("exchange-online", "exchange-online", Failure, "mx.b.test", END, Policy),
    ("exchange-online-own", "exchange-online", Failure, "", ROUTING, NoSuchUser),
    ("exchange-online-delay", "exchange-online", Delay, "-", None, Expired),
    ("exchange-online-pasted", "exchange-online", Failure, "mx.b.test", RCPT, Blocklisted),
    ("courier-pasted", "courier", Failure, "mx.b.test", RCPT, NoSuchUser),
    ("exchange-german", "exchange-2007", Failure, "mx.b.test", RCPT, NoSuchUser),
    ("exchange-french", "exchange-2007", Failure, "", MAILBOX, MailboxFull),
    ("exchange-japanese", "exchange-2007", Failure, "", ROUTING, NoSuchUser),
    ("exchange-utf-16", "exchange-2007", Failure, "", MAILBOX, MailboxFull),
    ("exim-timeout", "exim", Failure, "mx.b.test", END, Authentication),
    ("exim-delay", "exim", Delay, "mx.b.test", RCPT, Greylisted),
    ("qmail-relay", "qmail", Failure, "192.0.2.9", Some(Stage::Mail), SenderRefused),
    ("qmail-data", "qmail", Failure, "mx.b.test", END, TooLarge),
    ("postfix-tls", "postfix", Failure, "", Some(Stage::Tls), Tls),
    ("postfix-bare", "postfix", Failure, "", END, Network),
    ("gmail-domain", "gmail", Failure, "", ROUTING, NoSuchHost),
    ("gmail-rejected", "gmail", Failure, "mx.b.test", END, Spam),
    ("sendmail-deferred", "sendmail", Delay, "", Some(Stage::Connect), Network),
    ("sendmail-japanese", "sendmail", Failure, "mx.b.test", RCPT, NoSuchUser),
    ("sendmail-german", "sendmail", Failure, "mx.b.test", END, MailboxFull),
    ("domino", "domino", Failure, "MX.B.TEST", RCPT, RelayDenied),
    ("domino-german", "domino", Failure, "-", MAILBOX, NoSuchUser),
    ("kddi-filter", "postfix", Failure, "lsean.ezweb.ne.jp", END, RecipientRefuses),
    // It has no form that a report has, yet what it says is told.
    ("auto-replied", "plain", AutoReply, "-", MAILBOX, MailboxFull),
];

#[test]
fn each_vendors_report() {
    let mut wrong = Vec::new();
    for (name, dialect, kind, speaker, stage, class) in ROWS {
        let read = ndr::read(&octets(name));
        let Some(told) = read.reports.first() else {
            wrong.push(format!("{name}: nothing, {:?}", read.kind));
            continue;
        };
        let recipient = told.recipient.as_deref().unwrap_or("");
        let is_recipient = recipient.starts_with("bob@") || recipient.starts_with("list@");
        let is_speaker = match (*speaker, &told.speaker) {
            ("", Speaker::Writer) | ("-", Speaker::Unknown) | ("?", Speaker::RemoteUnnamed) => true,
            (host, Speaker::Remote(found)) => host == found,
            _ => false,
        };
        let found = (read.dialect.as_str(), read.kind, told.stage, class_of_testimony(told));
        if found != (*dialect, *kind, *stage, *class) || !is_speaker || !is_recipient {
            wrong.push(format!(
                "{name}: wanted {:?} of {speaker:?}, found {found:?} of {:?} for {recipient}: {:?} in {:?}",
                (dialect, kind, stage, class),
                told.speaker,
                told.reply,
                told.words
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_tells_of_no_recipient() {
    let read = ndr::read(&octets("out-of-office"));
    assert_eq!((read.kind, read.reports.len()), (AutoReply, 0), "{read:?}");
    // A list that rejects names nobody but itself.
    let read = ndr::read(&octets("mailman"));
    assert_eq!(read.dialect, "mailman", "{read:?}");
    assert!(read.reports.iter().all(|told| class_of_testimony(told) == SenderRefused), "{read:?}");
}

#[test]
fn each_file_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ndr");
    for file in fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".eml").unwrap();
        let is_told = ROWS.iter().any(|row| row.0 == name);
        assert!(is_told || ["out-of-office", "mailman"].contains(&name), "{name} has no row");
    }
}

fn octets(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/ndr/{name}.eml"));
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
