//! Replies that people met and asked about, or wrote rules for, with the class that a reader gives them: code,
//! status, stage and words as a report tells them. Found after the tables were made; what they showed has been
//! mended, so they measure nothing any more, and keep it mended. Names and addresses are not theirs.

use diagnose::{
    Class,
    Class::{
        Authentication, BadReputation, Blocklisted, Content, Login, MailLoop, MailboxFull, Moved,
        NoSuchUser, NotAuthorized, NotCompliant, Policy, RateLimit, RecipientRefuses, RelayDenied,
        ReverseName, SenderRefused, Spam, Suspended, System, TooLarge, TooManyConnections,
    },
    class::{Refusal, classify},
};
use smtp::Stage;

const C: Option<Stage> = Some(Stage::Greeting);
const M: Option<Stage> = Some(Stage::Mail);
const R: Option<Stage> = Some(Stage::Rcpt);
const D: Option<Stage> = Some(Stage::EndOfData);
const N: Option<Stage> = None;

#[rustfmt::skip]
const ROWS: &[(Class, u16, &str, Option<Stage>, &str)] = &[
    // Rules for bounces that projects publish, with the replies that they were made from
    (NoSuchUser, 450, "", R, "user path no exist"),
    (MailboxFull, 551, "", D, "bounce as<the destination mailbox <bob@b.test> is full> queue as 100.1"),
    (RelayDenied, 550, "", R, "relaying to <bob@b.test> prohibited by administrator"),
    (NoSuchUser, 554, "5.1.3", D, "qq Sorry, no valid recipients (#5.1.3)"),
    (Suspended, 554, "", D, "delivery error: dd Sorry your message to bob@b.test cannot be delivered. This account has been disabled or discontinued [#102]. - mta173.b.test"),
    (NoSuchUser, 550, "", R, "Mailbox ( bob@b.test ) not found or inactivated"),
    (Suspended, 551, "", R, "<bob@b.test> is a deactivated mailbox"),
    (NoSuchUser, 540, "", R, "Error: Wrong recipients"),
    (NoSuchUser, 550, "", R, "Command RCPT User <bob@b.test> not OK"),
    (NoSuchUser, 550, "5.1.1", R, "<bob@b.test>... email address lookup in domain map failed"),
    (NoSuchUser, 553, "5.3.0", R, "<bob@b.test>... Recipient address no longer exists"),
    (RecipientRefuses, 553, "", R, "User refused to receive this mail."),
    (SenderRefused, 501, "", M, "anna@a.test Sender email is not in my domain"),
    (RelayDenied, 500, "", R, "Unauthorized relay msg rejected"),
    (Login, 550, "", R, "ds1.a.test [192.0.2.1] is currently not permitted to relay through this server. Perhaps you have not logged into the pop/imap server in the last 30 minutes or do not have SMTP Authentication turned on in your email client."),
    (Content, 552, "", D, "MessageWall: MIME/REJECT: Invalid structure"),
    (Blocklisted, 554, "", M, "Connection refused(mx). MAIL FROM [anna@a.test] mismatches client IP [192.0.2.1]."),
    (Blocklisted, 554, "", R, "<unknown[192.0.2.1]>: Client host rejected: Access denied"),
    (SenderRefused, 550, "", D, "Error: MAIL FROM is mismatched with message header from address!"),
    (Spam, 553, "5.7.1", R, "<bob@b.test>... SpamTrap=reject mode, dsn=5.7.1, Message blocked by BOX Solutions SpamTrap Technology"),
    (Spam, 550, "", D, "sorry, it seems as a junk mail"),
    (Spam, 550, "", D, "Wiadomosc zostala odrzucona przez system antyspamowy"),
    (MailboxFull, 550, "", R, "User has too many messages on the server"),
    (Suspended, 550, "", R, "Esta casilla ha expirado por falta de uso"),
    (Suspended, 550, "", R, "El usuario esta en estado: inactivo"),
    (Suspended, 550, "", R, "Podane konto jest zablokowane administracyjnie lub nieaktywne"),
    (Suspended, 550, "", R, "Questo indirizzo e' bloccato per inutilizzo"),
    (NoSuchUser, 550, "", R, "Adressat unbekannt oder Mailbox deaktiviert"),
    (Moved, 550, "5.1.6", R, "recipient no longer on server: bob@b.test"),
    (Content, 550, "", D, "rejecting password protected file attachment"),
    (Blocklisted, 550, "", C, "Connection refused due to abuse. Please see http://b.test/abuse"),
    (Blocklisted, 550, "5.7.1", R, "dial-up or dynamic-ip denied"),
    (Blocklisted, 553, "5.7.1", M, "[TS03] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed"),
    (NotCompliant, 554, "", D, "Your message does not comply with required standards"),
    (NotCompliant, 554, "", D, "Message does not conform to standards"),
    (Policy, 554, "", D, "message violates security regulations"),
    // Questions in forums and bug trackers
    (Blocklisted, 550, "", C, "rejected because of not in approved list"),
    (Blocklisted, 550, "5.7.0", C, "Blocked - see https://support.proofpoint.com/dnsbl-lookup.cgi?ip=192.0.2.1"),
    (BadReputation, 554, "", C, "esa1.b.test Your access to this mail system has been rejected due to the sending MTA's poor reputation."),
    (Policy, 550, "", D, "Sender's policy prohibits this message: Reject"),
    (SenderRefused, 550, "", D, "Domain may not exist or DNS check failed [MAn2 IP: 192.0.2.1]."),
    (TooManyConnections, 432, "4.3.2", D, "Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information."),
    (System, 451, "4.5.0", D, "id=11249-03 - Temporary MTA failure on relaying, From MTA() during fwd-connect (Negative greeting: at (eval 134) line 479.): id=11249-03"),
    (SenderRefused, 553, "", M, "box.a.test does not exist"),
    (SenderRefused, 550, "", M, "Sorry, no access for this user"),
    (SenderRefused, 451, "", D, "From:domain must resolve"),
    (RelayDenied, 553, "", R, "unauthorized relay traffic prohibited"),
    (MailLoop, 554, "", D, "Too many Received: headers"),
    (Blocklisted, 521, "", C, "access denied"),
    (RecipientRefuses, 550, "", D, "Your message was rejected by this user and was not delivered"),
    (NoSuchUser, 421, "", R, "Recipient not in route list"),
    (NoSuchUser, 550, "5.4.1", R, "Recipient address rejected: Access denied. AS(201806281) [eop-nam10.prod.protection.outlook.com]"),
    (NoSuchUser, 554, "5.7.1", R, "<bob@b.test>: Recipient address rejected: Access denied"),
    (BadReputation, 550, "5.7.708", R, "Service unavailable. Access denied, traffic not accepted from this IP."),
    (Spam, 550, "5.7.501", D, "Access denied, spam abuse detected."),
    (NotCompliant, 550, "", N, "message has lines too long for transport"),
    (RecipientRefuses, 550, "", N, "The user does not accept email in non-Western (non-Latin) character sets."),
    // Pages of providers
    (Blocklisted, 421, "4.7.0", R, "IP not in whitelist for RCPT domain, closing connection. - gsmtp"),
    (Blocklisted, 421, "4.7.0", C, "Try again later, closing connection. (EHLO) - gsmtp"),
    (System, 421, "", D, "Try again later, closing connection"),
    (RateLimit, 550, "5.7.1", D, "Daily SMTP relay limit exceeded for customer."),
    (BadReputation, 451, "4.7.650", M, "The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation."),
    (NotAuthorized, 550, "5.7.129", R, "RESOLVER.RST.RestrictedToRecipientsPermission"),
    (Blocklisted, 554, "", C, "kundenserver.de (mxeue111) Nemesis ESMTP Service not available No SMTP service IP address is black listed."),
    (ReverseName, 554, "", C, "gmx.net (mxgmx114) Nemesis ESMTP Service not available No SMTP service Bad DNS PTR resource record."),
    (Authentication, 550, "", M, "<anna@a.test>: Reject due to SPF policy. The originating IP of the message is not permitted by the domain owner"),
    (RateLimit, 450, "4.2.1", R, "<bob@b.test>: Mailbox received too much email in a short period of time (G30)"),
    (Blocklisted, 451, "", C, "IP temporarily blacklisted"),
    (SenderRefused, 550, "", D, "Rejected by header based manually Blocked Senders: bob@b.test"),
    (TooManyConnections, 550, "", R, "Exceeding outbound thread limit"),
    (Blocklisted, 554, "", C, "mcc-ibgw-6001a.ext.cloudfilter.net cmsmtp 192.0.2.1 is listed on Cloudmark CSI-Global. AUP#RBL"),
    (Blocklisted, 550, "", R, "Dictionary attack detected"),
    (Blocklisted, 550, "", C, "IP is Hangup"),
    (TooLarge, 550, "", D, "exceeded mailsize limit"),
    (RateLimit, 550, "", R, "sending quota exceeded"),
    (Policy, 550, "5.7.1", D, "This message violates example.test email policy. - gcdp - gsmtp"),
];

#[test]
fn each_reply_has_the_class_that_a_reader_gives_it() {
    let mut wrong = Vec::new();
    for (class, code, status, stage, words) in ROWS {
        let (status, stage) = (status.parse().ok(), *stage);
        let found = classify(&Refusal { words, code: Some(*code), status, stage }).0;
        if found != *class {
            wrong.push(format!("{class} is {found}: {code} {words}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}
