//! Non-delivery reports of our own making, one for each dialect: who speaks, at which stage, and why.

use diagnose::{
    Class,
    class::class_of_testimony,
    dialects::ndr::{self, Kind, Ndr},
    testimony::{Fate, Speaker},
};
use proptest::prelude::*;
use smtp::Stage;

/// A report's text behind a header section as that mailer writes it.
fn report(header: &str, text: &str) -> Ndr {
    let octets =
        format!("{header}\nTo: anna@a.test\nDate: Mon, 1 Jun 2026 10:00:00 +0000\n\n{text}");
    ndr::read(octets.as_bytes())
}

/// Header, text, dialect, speaker (empty: the writer itself; `-`: not told), stage, class.
type Row = (&'static str, &'static str, &'static str, &'static str, Option<Stage>, Class);

const DAEMON: &str = "From: MAILER-DAEMON@mx.a.test\nSubject: Undelivered Mail Returned to Sender";

const ROWS: [Row; 25] = [
    (
        "From: postmaster@a.test\nSubject: Undeliverable: Invoice",
        "Delivery has failed to these recipients or groups:\n\nbob@b.test\n\nDiagnostic information for administrators:\n\n\
         Generating server: EXSRV.a.test\n\nbob@b.test\nrelay.provider.test #503 5.5.1 Error: Bad sequence ##\n",
        "exchange-2007",
        "relay.provider.test",
        Some(Stage::Rcpt),
        Class::Syntax,
    ),
    (
        "From: postmaster@a.test\nSubject: Undeliverable: Invoice",
        "Diagnostic information for administrators:\n\nGenerating server: ex.a.test\n\nbob@a.test\n#550 5.1.1 \
         RESOLVER.ADR.RecipNotFound; not found ##\n",
        "exchange-2007",
        "",
        Some(Stage::Routing),
        Class::NoSuchUser,
    ),
    (
        "From: postmaster@a.test\nSubject: Undeliverable: x",
        "Diagnostic information for administrators:\n\nGenerating server: DB5PR01.prod.outlook.com\n\nbob@b.test\nmx.b.test\n\
         Remote Server returned '550 5.7.1 Message rejected due to SPF record'\n",
        "exchange-online",
        "mx.b.test",
        Some(Stage::Mail),
        Class::Authentication,
    ),
    (
        "From: System Administrator <postmaster@a.test>\nSubject: Undeliverable: x\nX-Mailer: Internet Mail Service (5.5.2653.19)",
        "Your message\n\n  To:      bob@b.test\n  Subject: x\n\ndid not reach the following recipient(s):\n\nbob@b.test on Mon, 1 Jun \
         2026 10:00:00 +0000\n    The recipient name is not recognized\n    MSEXCH:IMS:A:B:C 0 (000C05A6) Unknown Recipient\n",
        "exchange-2003",
        "-",
        Some(Stage::Mailbox),
        Class::NoSuchUser,
    ),
    (
        DAEMON,
        "This is the mail system at host mx.a.test.\n\n<bob@b.test>: host mx.b.test[192.0.2.9] said: 550 5.7.1 Service unavailable; \
         client [192.0.2.41] blocked using zen.spamhaus.org (in reply to RCPT TO command)\n",
        "postfix",
        "mx.b.test",
        Some(Stage::Rcpt),
        Class::Blocklisted,
    ),
    (
        DAEMON,
        "This is the mail system at host mx.a.test.\n\n<bob@b.test>: connect to mx.b.test[192.0.2.9]:25: Connection refused\n",
        "postfix",
        "",
        Some(Stage::Connect),
        Class::Network,
    ),
    (
        "From: Mail Delivery System <Mailer-Daemon@mx.a.test>\nX-Failed-Recipients: bob@b.test\nSubject: Mail delivery failed",
        "This message was created automatically by mail delivery software.\n\n  bob@b.test\n    SMTP error from remote mail server \
         after MAIL FROM:<anna@a.test> SIZE=90000000:\n    host mx.b.test [192.0.2.9]: 552 5.3.4 message size exceeds fixed limit\n",
        "exim",
        "mx.b.test",
        Some(Stage::Mail),
        Class::TooLarge,
    ),
    (
        "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.a.test>\nSubject: Returned mail: see transcript for details",
        "   ----- The following addresses had permanent fatal errors -----\n<bob@b.test>\n    (reason: 550 5.1.1 unknown user)\n\n   \
         ----- Transcript of session follows -----\n... while talking to mx.b.test.:\n>>> DATA\n<<< 550 5.1.1 unknown user\n550 \
         5.1.1 <bob@b.test>... User unknown\n<<< 503 5.0.0 Need RCPT (recipient)\n",
        "sendmail",
        "mx.b.test",
        Some(Stage::Rcpt),
        Class::NoSuchUser,
    ),
    (
        "From: MAILER-DAEMON@mx.a.test\nSubject: failure notice",
        "Hi. This is the qmail-send program at mx.a.test.\n\n<bob@b.test>:\n192.0.2.9 does not like recipient.\nRemote host said: 550 \
         no such user (#5.1.1)\nGiving up on 192.0.2.9.\n",
        "qmail",
        "192.0.2.9",
        Some(Stage::Rcpt),
        Class::NoSuchUser,
    ),
    (
        "From: MAILER-DAEMON@mx.a.test\nSubject: failure notice",
        "Hi. This is the qmail-send program at mx.a.test.\n\n<bob@b.test>:\nSorry, I couldn't find any host named b.test. (#5.1.2)\n",
        "qmail",
        "",
        Some(Stage::Routing),
        Class::NoSuchHost,
    ),
    (
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nX-Failed-Recipients: bob@b.test\nSubject: Delivery Status Notification (Failure)",
        "Delivery to the following recipient failed permanently:\n\n     bob@b.test\n\nTechnical details of permanent failure:\nGoogle tried to \
         deliver your message, but it was rejected by the server for the recipient domain b.test by mx.b.test. [192.0.2.9].\n\nThe error that the other \
         server returned was:\n550 5.2.2 mailbox full\n",
        "gmail",
        "mx.b.test",
        Some(Stage::Rcpt),
        Class::MailboxFull,
    ),
    (
        "From: MAILER-DAEMON@yahoo.com\nSubject: Failure Notice",
        "Sorry, we were unable to deliver your message to the following address.\n\n<bob@b.test>:\nRemote host said:\n550 5.1.1 unknown user\n[RCPT_TO]\n",
        "yahoo",
        "-",
        Some(Stage::Rcpt),
        Class::NoSuchUser,
    ),
    (
        "From: Postmaster@a.test\nSubject: DELIVERY FAILURE: User bob not listed\nX-Mailer: Lotus Domino Release 7",
        "Your message\n\n  Subject: x\n\nwas not delivered to:\n\n  bob@a.test\n\nbecause:\n\n  User bob (bob@a.test) not listed in Domino Directory\n",
        "domino",
        "-",
        Some(Stage::Mailbox),
        Class::NoSuchUser,
    ),
    (
        "From: Mailer Daemon <MAILER-DAEMON@mx.a.test>\nSubject: Delivery status notification: error",
        "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\nbob@b.test: 550 5.7.1 Relay access denied\n",
        "opensmtpd",
        "-",
        Some(Stage::Rcpt),
        Class::RelayDenied,
    ),
    (
        "From: MAILER-DAEMON@mx.a.test\nSubject: Mail delivery failed",
        "This is the DragonFly Mail Agent v0.13 at mx.a.test.\n\nThere was an error delivering your mail to <bob@b.test>.\n\nmx.b.test [192.0.2.9] did not \
         like our final DATA:\n554 5.7.1 this looks like spam\n",
        "dragonfly",
        "mx.b.test",
        Some(Stage::EndOfData),
        Class::Spam,
    ),
    (
        "From: postmaster@a.test\nSubject: Delivery failure\nX-Mailer: MailMarshal",
        "Your message:\n   From:    anna@a.test\n   Subject: x\nCould not be delivered because of\n\n550 5.1.1 User unknown\n\nThe following \
         recipients were affected:\n    bob@b.test\n",
        "mailmarshal",
        "-",
        Some(Stage::Rcpt),
        Class::NoSuchUser,
    ),
    (
        "From: postmaster@a.test\nSubject: Delivery Notification: Delivery has failed",
        "This report relates to a message you sent with the following header fields:\n\n  To: bob@b.test\n\nYour message cannot be delivered to the \
         following recipients:\n\n  Recipient address: bob@b.test\n  Reason: Remote SMTP server has rejected address\n  Diagnostic code: smtp; 550 5.1.1 unknown \
         user\n  Remote system: dns; mx.b.test (TCP|192.0.2.2|1|192.0.2.9|25)\n",
        "messaging-server",
        "mx.b.test",
        Some(Stage::Rcpt),
        Class::NoSuchUser,
    ),
    (
        "From: no-reply@dion.ne.jp\nSubject: Mail delivery failed",
        "Your mail sent on: Mon, 1 Jun 2026\n     Could not be delivered to: <bob@b.test>\n     As their mailbox is full.\n",
        "kddi",
        "-",
        Some(Stage::Mailbox),
        Class::MailboxFull,
    ),
    (
        "From: Postmaster <postmaster@a.test>\nSubject: Undeliverable Mail\nX-Mailer: <SMTP32 v8>",
        "Unknown user: bob@a.test\n\nOriginal message follows.\n",
        "imail",
        "-",
        Some(Stage::Mailbox),
        Class::NoSuchUser,
    ),
    (
        "From: Postmaster <postmaster@a.test>\nSubject: Undeliverable Mail\nX-Mailer: <SMTP32 v8>",
        "undeliverable to bob@b.test\n\nMAIL FROM generated following response:\n553 5.1.8 your domain does not exist\n\nOriginal message follows.\n",
        "imail",
        "-",
        Some(Stage::Mail),
        Class::SenderRefused,
    ),
    (
        "From: InterScan MSS <postmaster@a.test>\nSubject: Mail could not be delivered",
        "****** Message from InterScan Messaging Security Suite ******\n\nThe following mail could not be delivered.\nReason:  Unable to deliver \
         message to <bob@b.test> (and other recipients in the same domain).\n\n************************     End of message     **********************\n",
        "interscan",
        "-",
        Some(Stage::Mailbox),
        Class::NoSuchUser,
    ),
    (
        "From: Postmaster@ezweb.ne.jp\nSubject: Mail System Error - Returned Mail",
        "This Message was undeliverable due to the following reason:\n\nThe subscription is suspended for now.\n\n<bob@b.test>\n\nPlease reply to \
         Postmaster@ezweb.ne.jp\nif you feel this message to be in error.\n",
        "kddi",
        "-",
        Some(Stage::Rcpt),
        Class::Suspended,
    ),
    (
        "From: Postmaster@ezweb.ne.jp\nSubject: Mail System Error - Returned Mail",
        "This Message was undeliverable due to the following reason:\n\nYour message was not delivered within 0 days and 1 hours.\nHost b.test is \
         not responding.\n\nThe following recipients did not receive your message:\n     <bob@b.test>\n\nPlease reply to Postmaster@ezweb.ne.jp\n",
        "kddi",
        "-",
        Some(Stage::Connect),
        Class::Expired,
    ),
    (
        "From: sysadmin <sysadmin@mms.test>\nSubject: Undeliverable Message",
        "Message could not be delivered to mobile.\nError: No valid recipients for this MM\n\nTo: bob@mms.test\n",
        "plain",
        "-",
        Some(Stage::Mailbox),
        Class::NoSuchUser,
    ),
    (
        "From: MAILER-DAEMON@mx.a.test\nSubject: Delivery failure",
        "-------server message\n504 Need to authenticate first\n-------SMTP command\nRCPT TO:<bob@b.test>\n",
        "m-filter",
        "-",
        Some(Stage::Rcpt),
        Class::Login,
    ),
];

/// What qmail closes with is its own, and no reason: an expired message it is not.
#[test]
fn that_qmail_gives_a_host_up_is_no_reason() {
    let text = "Hi. This is the qmail-send program at mx.a.test.\n\n<bob@b.test>:\n192.0.2.9 failed after I sent the message.\n\
        Remote host said: 554 qwertz\nGiving up on 192.0.2.9.\n";
    let read = report("From: MAILER-DAEMON@mx.a.test\nSubject: failure notice", text);
    let told = &read.reports[0];
    assert!(told.words.ends_with("554 qwertz"), "{}", told.words);
    assert_eq!(class_of_testimony(told), Class::Unknown);
}

#[test]
fn a_delay_is_none_of_opensmtpds_failures() {
    let text = "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    A message is delayed for more than 4 hours \
        for the following\n    list of recipients:\n\nbob@b.test: Network error on destination MXs\n\n    Please note that this is only a temporary \
        failure report.\n";
    let read = report(
        "From: MAILER-DAEMON@mx.a.test\nSubject: Delivery status notification: warning",
        text,
    );
    assert_eq!((read.kind, read.reports[0].fate), (Kind::Delay, Fate::Deferred));
}

/// `connection` is Exim's word for where it was, not the server's for why.
#[test]
fn a_servers_code_tells_more_than_a_single_word_of_the_writers() {
    let text = "This message was created automatically by mail delivery software.\n\n  bob@b.test\n    SMTP error from remote mail server \
        after initial connection:\n    host mx.b.test [192.0.2.9]: 554 qwertz\n";
    let read = report(
        "From: Mail Delivery System <Mailer-Daemon@mx.a.test>\nX-Failed-Recipients: bob@b.test\nSubject: x",
        text,
    );
    assert_eq!(class_of_testimony(&read.reports[0]), Class::Blocklisted);
}

/// Sendmail's report of a program has its exit status, and no words at all.
#[test]
fn a_bare_exit_status_is_a_programs() {
    let message = "From: MAILER-DAEMON@mx.a.test\nSubject: Returned mail: see transcript for details\nContent-Type: multipart/report; \
        boundary=b\n\n--b\n\n   ----- The following addresses had permanent fatal errors -----\n\"|/home/bob/sort\"\n    (reason: 127)\n    \
        (expanded from: <bob@a.test>)\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.a.test\n\nFinal-Recipient: RFC822; \
        bob@a.test\nX-Actual-Recipient: X-Unix; |/home/bob/sort\nAction: failed\nStatus: 5.3.0\nDiagnostic-Code: X-Unix; 127\n\n--b--\n";
    let read = ndr::read(message.as_bytes());
    assert_eq!(class_of_testimony(&read.reports[0]), Class::Mailer, "{:?}", read.reports[0]);
}

#[test]
fn each_dialect() {
    for (header, text, dialect, speaker, stage, class) in ROWS {
        let read = report(header, text);
        let told = read.reports.first().unwrap_or_else(|| panic!("nothing in {text}: {read:?}"));
        assert_eq!((read.dialect.as_str(), read.kind), (dialect, Kind::Failure), "{text}");
        let recipient = told.recipient.as_deref().unwrap_or("");
        assert!(recipient.starts_with("bob@"), "{recipient} in {text}");
        assert_eq!((told.stage, class_of_testimony(told)), (stage, class), "{text}: {told:?}");
        match (speaker, &told.speaker) {
            ("", Speaker::Writer) | ("-", Speaker::Unknown | Speaker::RemoteUnnamed) => {}
            (host, Speaker::Remote(found)) => assert_eq!(host, found, "{text}"),
            (wanted, found) => panic!("`{wanted}` speaks, not {found:?}, in {text}"),
        }
    }
}

/// A report of RFC 3464 with one recipient.
fn multipart(action: &str, group: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.a.test\nTo: anna@a.test\nSubject: report\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nSee below.\n--b\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.a.test\n\n\
         Final-Recipient: rfc822; bob@b.test\nAction: {action}\n{group}\n\n--b\nContent-Type: message/rfc822\n\n\
         From: anna@a.test\nTo: bob@b.test\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <1@a.test>\n\nhello\n--b--\n"
    )
}

#[test]
fn the_machine_readable_part() {
    let group =
        "Status: 5.2.2\nRemote-MTA: dns; mx.b.test\nDiagnostic-Code: smtp; 552 5.2.2 over quota";
    for (action, kind, fate) in [
        ("failed", Kind::Failure, Fate::Failed),
        ("delayed", Kind::Delay, Fate::Deferred),
        ("relayed", Kind::Success, Fate::Delivered),
    ] {
        let read = ndr::read(multipart(action, group).as_bytes());
        assert_eq!(
            (read.kind, read.reports.len(), read.reports[0].fate),
            (kind, 1, fate),
            "{action}"
        );
        assert_eq!(read.reports[0].speaker, Speaker::Remote("mx.b.test".into()));
        assert_eq!(read.writer.as_deref(), Some("mx.a.test"));
        assert_eq!(read.original.subject.as_deref(), Some("Gr\u{fc}\u{df}e"));
        assert_eq!(read.original.message_id.as_deref(), Some("1@a.test"));
    }
}

#[test]
fn what_is_no_failure() {
    for (header, text, kind) in [
        (
            "From: bob@b.test\nSubject: Out of Office: x\nAuto-Submitted: auto-replied",
            "I am away until 5.1.2027",
            Kind::AutoReply,
        ),
        ("From: bob@b.test\nSubject: lunch", "shall we eat at 550 Main Street?", Kind::Other),
        (
            "From: fbl@b.test\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary=b",
            "--b\n\nThis is an abuse report\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n\n--b--\n",
            Kind::Feedback,
        ),
    ] {
        let read = report(header, text);
        assert_eq!((read.kind, read.reports.len()), (kind, 0), "{text}: {read:?}");
    }
}

#[test]
fn a_report_within_a_forwarded_message_is_found() {
    let inner = multipart("failed", "Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 unknown user");
    let outer = format!(
        "From: anna@a.test\nTo: help@a.test\nSubject: Fwd: report\nMIME-Version: 1.0\nContent-Type: multipart/mixed; \
         boundary=outer\n\n--outer\n\nwhat is this?\n--outer\nContent-Type: message/rfc822\n\n{inner}\n--outer--\n"
    );
    let read = ndr::read(outer.as_bytes());
    assert_eq!((read.kind, read.reports.len()), (Kind::Failure, 1), "{read:?}");
    assert_eq!(class_of_testimony(&read.reports[0]), Class::NoSuchUser);
}

#[test]
fn charsets_encodings_and_pages_of_html() {
    let header =
        "From: MAILER-DAEMON@mx.a.test\nTo: anna@a.test\nSubject: Undelivered\nMIME-Version: 1.0";
    for (kind, body) in [
        (
            "text/plain; charset=utf-8\nContent-Transfer-Encoding: base64",
            "PGJvYkBiLnRlc3Q+OiBob3N0IG14LmIudGVzdFsxOTIuMC4yLjldIHNhaWQ6IDU1MCA1LjEuMSB1\nbmtub3duIHVzZXI=\n",
        ),
        (
            "text/plain; charset=x-nobody-knows\nContent-Transfer-Encoding: quoted-printable",
            "<bob@b.test>: host mx.b.test[192.0.2.9] said: 550 5.1.1 unknown=\n user\n",
        ),
        (
            "text/html; charset=iso-8859-1",
            "<html><head><style>p{}</style></head><body><p>Not delivered</p><div>bob@b.test</div><div>host mx.b.test[192.0.2.9] said: 550 \
             5.1.1 unknown user</div></body></html>\n",
        ),
    ] {
        let read = ndr::read(format!("{header}\nContent-Type: {kind}\n\n{body}").as_bytes());
        let told = read.reports.first().unwrap_or_else(|| panic!("{kind}: {read:?}"));
        assert_eq!(told.recipient.as_deref(), Some("bob@b.test"), "{kind}");
        assert_eq!(told.reply.as_ref().map(|reply| reply.code), Some(550), "{kind}: {told:?}");
        assert_eq!(told.speaker, Speaker::Remote("mx.b.test".into()), "{kind}");
    }
}

#[test]
fn huge_input_is_bounded() {
    let group =
        "Final-Recipient: rfc822; bob@b.test\nAction: failed\nStatus: 5.1.1\n\n".repeat(20_000);
    let read = ndr::read(multipart("failed", &group).as_bytes());
    assert!(read.reports.len() <= ndr::RECIPIENTS_MAX);
    let lines = "<bob@b.test>: 550 no\n".repeat(200_000);
    assert!(report(DAEMON, &lines).reports.len() <= ndr::RECIPIENTS_MAX);
}

proptest! {
    /// Nothing that anybody can send makes the reader panic or tell more recipients than it may.
    #[test]
    fn any_octets(octets in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let read = ndr::read(&octets);
        prop_assert!(read.reports.len() <= ndr::RECIPIENTS_MAX);
    }

    /// The same with what reports are made of.
    #[test]
    fn any_words_of_reports(words in proptest::collection::vec(prop_oneof![
        Just("From: MAILER-DAEMON@a.test\n"), Just("Subject: Undelivered\n"), Just("\n"), Just("\n\n"), Just("<bob@b.test>: "),
        Just("host mx.b.test[192.0.2.9] said: "), Just("550 5.1.1 "), Just("550-5.1.1 "), Just("(in reply to RCPT TO command)"),
        Just(">>> RCPT"), Just("<<< 550"), Just("Final-Recipient: rfc822; \u{e9}@b.test\n"), Just("Diagnostic-Code: smtp; 5"),
        Just("Generating server: "), Just("#5"), Just(" ##"), Just("Remote Server returned '"), Just("\u{1b}$B"), Just("\u{3042}"),
        Just("----- Transcript"), Just("by the server for the recipient domain "), Just("<\""), Just("\"@"), Just("...")
    ], 0..40)) {
        let text = words.concat();
        let read = ndr::read(text.as_bytes());
        prop_assert!(read.reports.len() <= ndr::RECIPIENTS_MAX);
        ndr::read_words(&text);
    }
}

/// Where one may ask is nobody to whom the message went.
#[test]
fn an_address_for_questions_is_no_recipient() {
    for (words, recipient) in [
        (
            "554 IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.)",
            None,
        ),
        ("550 5.7.1 Message rejected, see abuse@corp.mail.ru", None),
        ("550 5.7.1 <bob@b.test>: rejected, questions to postmaster@b.test", Some("bob@b.test")),
        ("550 5.7.1 questions to help@b.test: bob@b.test is gone", Some("bob@b.test")),
        ("550 5.1.1 <postmaster@b.test>: user unknown", Some("postmaster@b.test")),
        ("550 5.1.1 bob@b.test: contact the owner", Some("bob@b.test")),
    ] {
        assert_eq!(ndr::read_words(words).recipient.as_deref(), recipient, "{words}");
    }
}
