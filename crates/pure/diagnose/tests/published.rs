//! What providers and mail servers publish that they reply, and what kind of refusal each says it is.
//!
//! Written down from their own pages before it was tried, so that what fails shows what is missing, not
//! what a sample happened to say. Explained as `mailwright explain` does: with no stage known.

use diagnose::{Class, class::class_of_testimony, dialects::ndr};

#[rustfmt::skip]
const ROWS: &[(Class, &str)] = &[
    // Gmail
    (Class::NoSuchUser, "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces."),
    (Class::Suspended, "550 5.2.1 The email account that you tried to reach is disabled."),
    (Class::Suspended, "550 5.2.1 The email account that you tried to reach is inactive."),
    (Class::RateLimit, "450 4.2.1 The user you are trying to contact is receiving mail too quickly. Please resend your message at a later time."),
    (Class::MailboxFull, "452 4.2.2 The recipient's inbox is out of storage space."),
    (Class::RateLimit, "550 5.4.5 Daily SMTP relay sending limit exceeded for user."),
    (Class::Login, "530 5.7.0 Authentication Required."),
    (Class::Login, "535 5.7.8 Username and Password not accepted."),
    (Class::Content, "552 5.7.0 This message was blocked because its content presents a potential security issue."),
    (Class::TooLarge, "552 5.3.4 Your message exceeded Google's message size limits."),
    (Class::NotCompliant, "550 5.7.1 Messages with multiple addresses in From: header are not accepted."),
    (Class::NotCompliant, "550 5.7.1 This message is not RFC 5322 compliant because it has duplicate headers."),
    (Class::Authentication, "550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM."),
    (Class::Authentication, "421 4.7.27 Your email has been rate limited because SPF authentication didn't pass for this message."),
    (Class::ReverseName, "550 5.7.25 The IP address sending this message does not have a PTR record setup, or the corresponding forward DNS entry does not match the sending IP."),
    (Class::RateLimit, "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP address."),
    (Class::BadReputation, "550 5.7.1 Our system has detected that this message is likely suspicious due to the very low reputation of the sending domain."),
    (Class::Spam, "550 5.7.1 Our system has detected that this message is likely unsolicited mail."),
    (Class::RateLimit, "421 4.7.29 Your email has been rate limited because this message wasn't sent over a TLS connection."),
    (Class::Login, "550 5.7.1 Invalid credentials for relay."),
    (Class::System, "421 4.3.0 Temporary System Problem. Try again later."),
    (Class::TooManyConnections, "452 4.5.3 Your message has too many recipients."),
    // Outlook
    (Class::Blocklisted, "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140)."),
    (Class::BadReputation, "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation."),
    (Class::NoSuchUser, "550 5.5.0 Requested action not taken: mailbox unavailable"),
    (Class::MailboxFull, "552 5.2.2 The recipient's mailbox is full and can't accept messages now."),
    (Class::Login, "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed because the sender was not authenticated when sending to this group"),
    (Class::Authentication, "550 5.7.509 Access denied, sending domain a.test does not pass DMARC verification and has a DMARC policy of reject."),
    (Class::Authentication, "550 5.7.515 Access denied, sending domain a.test doesn't meet the required authentication level."),
    (Class::Blocklisted, "550 5.7.606 Access denied, banned sending IP [192.0.2.1]."),
    (Class::RelayDenied, "550 5.7.64 TenantAttribution; Relay Access Denied"),
    (Class::RelayDenied, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain"),
    (Class::Login, "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM"),
    (Class::RateLimit, "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients"),
    (Class::NoSuchHost, "550 5.4.310 DNS domain b.test does not exist"),
    (Class::MailLoop, "550 5.4.14 Hop count exceeded - possible mail loop ATTR34"),
    (Class::NoSuchUser, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
    (Class::NoSuchUser, "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)"),
    (Class::SenderRefused, "550 5.1.8 Access denied, bad outbound sender"),
    (Class::TooLarge, "550 5.3.4 ROUTING.SizeLimit; message size exceeds fixed maximum size for route"),
    (Class::System, "451 4.7.500 Server busy. Please try again later from [192.0.2.1]."),
    (Class::RateLimit, "554 5.2.121 Recipient's per hour message receive limit from specific sender exceeded."),
    // Exchange
    (Class::MailboxFull, "554 5.2.2 STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded; Failed to process message due to a permanent exception"),
    (Class::SystemFull, "452 4.3.1 Insufficient system resources"),
    (Class::Network, "441 4.4.1 Error encountered while communicating with primary target IP address: \"Failed to connect. Winsock error code: 10060\""),
    // Yahoo
    (Class::BadReputation, "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints"),
    (Class::Blocklisted, "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list"),
    (Class::Suspended, "554 delivery error: dd Sorry, your message to bob@yahoo.test cannot be delivered. This mailbox is disabled (554.30)."),
    (Class::NoSuchUser, "554 delivery error: dd This user doesn't have a yahoo.test account (bob@yahoo.test) [0]"),
    (Class::MailboxFull, "552 1 Requested mail action aborted: exceeded storage allocation"),
    (Class::Policy, "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes"),
    (Class::System, "451 Resources temporarily unavailable. Please try again later [#4.16.1]."),
    // iCloud
    (Class::NoSuchUser, "550 5.1.1 <bob@icloud.com>: user does not exist"),
    (Class::MailboxFull, "552 5.2.2 <bob@icloud.com>: user quota exceeded"),
    (Class::Policy, "550 5.7.1 [CS01] Message rejected due to local policy."),
    (Class::RateLimit, "421 4.7.1 Messages to bob@icloud.com deferred due to excessive volume."),
    // GMX
    (Class::ReverseName, "554 gmx.net (mxgmx016) Nemesis ESMTP Service not available No SMTP service Bad DNS PTR resource record."),
    (Class::Policy, "550 Requested action not taken: mailbox unavailable Reject due to policy restrictions."),
    (Class::Blocklisted, "554-gmx.net (mxgmx115) Nemesis ESMTP Service not available 554-No SMTP service 554-IP address is black listed."),
    (Class::SenderRefused, "550 Requested action not taken: mailbox unavailable Invalid DNS MX or A/AAAA resource record."),
    (Class::RateLimit, "450 Requested mail action not taken: mailbox unavailable Mail send limit exceeded."),
    // T-Online
    (Class::Blocklisted, "554 IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.)"),
    // Mail.ru
    (Class::NoSuchUser, "550 Message was not accepted -- invalid mailbox. Local mailbox bob@mail.ru is unavailable: user not found"),
    (Class::MailboxFull, "550 Message was not accepted -- invalid mailbox. Local mailbox bob@mail.ru is unavailable: account is full"),
    (Class::Spam, "550 spam message rejected. Please visit http://help.mail.ru/notspam-support/id or report details to abuse@corp.mail.ru"),
    // Yandex
    (Class::Spam, "554 5.7.1 Message rejected under suspicion of SPAM; https://ya.cc/1IrBc"),
    (Class::NoSuchUser, "550 5.7.1 No such user!"),
    (Class::Policy, "554 5.7.1 Policy rejection on the target address"),
    // Mimecast
    (Class::RecipientRefuses, "550 Envelope blocked - User Entry"),
    (Class::NoSuchUser, "550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550"),
    (Class::Authentication, "550 SPF Sender Invalid - envelope rejected"),
    (Class::Authentication, "550 DKIM Sender Invalid - envelope rejected"),
    (Class::SenderRefused, "550 Rejected by header based manually Blocked Senders: anna@a.test"),
    (Class::Greylisted, "451 Internal resource temporarily unavailable"),
    (Class::Virus, "554 Email rejected due to security policies - MCSpamSignature.x.y"),
    (Class::TooLarge, "554 Maximum email size exceeded"),
    (Class::BadReputation, "550 Local CT IP Reputation - (reject)"),
    // Proofpoint
    (Class::Blocklisted, "554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1"),
    (Class::Spam, "550 5.7.0 Message identified as SPAM"),
    (Class::NoSuchUser, "550 5.1.1 <bob@b.test>... User unknown"),
    (Class::Policy, "550 5.7.1 Command rejected"),
    // Barracuda
    (Class::Blocklisted, "554 Service unavailable; Client host [192.0.2.1] blocked using Barracuda Reputation"),
    (Class::NoSuchUser, "550 No such user (bob@b.test)"),
    (Class::RateLimit, "421 Error: too many messages from this client in the last half hour"),
    // Cisco
    (Class::BadReputation, "554-mx.b.test 554 Your access to this mail system has been rejected due to the sending MTA's poor reputation."),
    (Class::SenderRefused, "553 #5.1.8 Domain of sender address <a@a.test> does not exist"),
    (Class::Spam, "554 Message contains spam or virus. (#5.3.0)"),
    // Trend
    (Class::Blocklisted, "550 5.7.1 Recipient address rejected: ERS-DUL."),
    (Class::NoSuchUser, "550 5.1.1 Recipient address rejected: User unknown"),
    // Cox
    (Class::Blocklisted, "554 IMP cxr.cox.net 192.0.2.1 blocked. Refer to Error Codes section at https://www.cox.com/residential/support/email-error-codes.html for more information. AUP#CXBL"),
    (Class::ReverseName, "554 cox.net ESMTP server - 192.0.2.1 rejected - no rDNS - Refer to Error Codes section. AUP#CXDNS"),
    (Class::SenderRefused, "550 5.1.0 <anna@a.test> sender rejected. Refer to Error Codes section. AUP#CXSNDR"),
    (Class::NoSuchUser, "550 5.1.1 <bob@cox.net> recipient rejected. Refer to Error Codes section. AUP#1260"),
    // Spectrum
    (Class::RateLimit, "421 Too many messages this session. E-mail from 192.0.2.1 is being limited AUP#In-1190"),
    (Class::Blocklisted, "554 5.7.1 ESMTP Server not available AUP#I-1000"),
    // Orange
    (Class::TooManyConnections, "421 mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR004_104 [104]"),
    (Class::NoSuchUser, "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR204_416 [416]"),
    (Class::MailboxFull, "552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]"),
    (Class::Suspended, "550 5.1.1 Boite du destinataire archivee. Archived recipient. OFR_418 [418]"),
    (Class::Spam, "550 5.2.0 Mail rejete. Mail rejected. ofr_506 [506]"),
    // Free
    (Class::Blocklisted, "421 Too many spams from your IP (192.0.2.1), please visit http://postmaster.free.fr/"),
    (Class::MailboxFull, "554 5.2.2 <bob@free.fr>: Recipient address rejected: Quota exceeded (mailbox for user is full)"),
    // LaPoste
    (Class::Blocklisted, "421 4.7.0 LPN007_401 Service refused, please try later"),
    // GoDaddy
    (Class::ReverseName, "421 Temporarily rejected. Reverse DNS for 192.0.2.1 failed. IB108"),
    (Class::Blocklisted, "554 Connection refused. 192.0.2.1 is listed on the Exploits Block List (XBL). IB105"),
    (Class::BadReputation, "554 This IP has a poor reputation on Cloudmark Sender Intelligence. IB103"),
    (Class::Spam, "552 This message has been rejected due to content judged to be spam by the internet community IB212"),
    (Class::Virus, "552 Virus infected message rejected. IB705"),
    (Class::SenderRefused, "550 From: Domain is invalid. Please provide a valid From: IB506"),
    (Class::Authentication, "550 Invalid SPF record. Please inspect your SPF settings, and try again. IB508"),
    (Class::TooManyConnections, "452 This message contains too many recipients. Please reduce the number of recipients and retry. IB605"),
    (Class::TooManyConnections, "421 Connection refused, too many sessions from this IP. Please lower the number of concurrent sessions. IB007"),
    (Class::NoSuchUser, "550 Recipient not found. See https://www.godaddy.com/help/40685"),
    // Comcast
    (Class::Spam, "554 resimta-po-01v.sys.comcast.net comcast 192.0.2.1 Comcast block for spam. Please see http://postmaster.comcast.net/smtp-error-codes.php#BL000000"),
    (Class::RateLimit, "421 4.1.0 192.0.2.1 Throttled - try again later. http://postmaster.comcast.net/smtp-error-codes.php#RL000001"),
    (Class::ReverseName, "421 imta comcast 192.0.2.1 Reverse DNS failure: Try again later"),
    (Class::NoSuchUser, "550 5.1.1 Not our Customer"),
    (Class::TooManyConnections, "421 imta Too many sessions opened"),
    // AOL
    (Class::Blocklisted, "554 RTR:BL https://postmaster.aol.com/error-codes#554rtrbl"),
    (Class::NoSuchUser, "550 5.1.1 <bob@aol.com>: Recipient address rejected: aol.com"),
    // Tencent
    (Class::Spam, "550 Mail content denied. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000726"),
    (Class::RateLimit, "550 Mailbox unavailable or access denied [frequency limited]"),
    (Class::RateLimit, "550 Ip frequency limited. http://service.mail.qq.com/"),
    (Class::NoSuchUser, "550 Mailbox not found. http://service.exmail.qq.com/cgi-bin/help"),
    (Class::RateLimit, "550 Domain frequency limited"),
    // Netease
    (Class::Blocklisted, "554 IP<192.0.2.1> in blacklist"),
    (Class::Spam, "554 DT:SPM 163 mx1,PMCowABn"),
    (Class::Authentication, "550 MI:SPF mx14,QMCowECpA0oJ"),
    // Zoho
    (Class::NoSuchUser, "550 5.1.1 Invalid email recipients"),
    (Class::RateLimit, "550 5.4.6 Unusual sending activity detected. Please try after sometime"),
    (Class::RelayDenied, "553 Relaying disallowed as anna@a.test"),
    // SES
    (Class::NotAuthorized, "554 Message rejected: Email address is not verified."),
    (Class::RateLimit, "454 Throttling failure: Maximum sending rate exceeded."),
    (Class::RateLimit, "454 Throttling failure: Daily message quota exceeded."),
    (Class::TooLarge, "552 5.3.4 Message is too long."),
    // SendGrid
    (Class::Blocklisted, "550 5.7.1 [192.0.2.1] Message rejected: sender IP is on the blocklist"),
    (Class::Login, "535 Authentication failed: Bad username / password"),
    // Mailgun
    (Class::Suspended, "554 Account disabled, please contact support"),
    // Postfix
    (Class::RelayDenied, "554 5.7.1 <bob@b.test>: Relay access denied"),
    (Class::NoSuchUser, "550 5.1.1 <bob@b.test>: Recipient address rejected: User unknown in virtual mailbox table"),
    (Class::ReverseName, "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]"),
    (Class::SenderRefused, "450 4.1.8 <anna@a.test>: Sender address rejected: Domain not found"),
    (Class::Blocklisted, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.spamcop.net"),
    (Class::RateLimit, "450 4.7.1 Error: too much mail from 192.0.2.1"),
    (Class::TooManyConnections, "421 4.7.0 mx.b.test Error: too many connections from 192.0.2.1"),
    (Class::SystemFull, "452 4.3.1 Insufficient system storage"),
    (Class::TooLarge, "552 5.3.4 Message size exceeds fixed limit"),
    (Class::MailLoop, "554 5.4.6 Too many hops"),
    (Class::System, "451 4.3.0 <bob@b.test>: Temporary lookup failure"),
    (Class::Tls, "530 5.7.0 Must issue a STARTTLS command first"),
    (Class::Greylisted, "450 4.2.0 <bob@b.test>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/b.test.html"),
    // Exim
    (Class::NoSuchHost, "550 Unrouteable address"),
    (Class::RelayDenied, "550 relay not permitted"),
    (Class::SenderRefused, "550 Sender verify failed"),
    (Class::SenderRefused, "550-Verification failed for <anna@a.test> 550 Sender verify failed"),
    (Class::Spam, "550 This message was classified as SPAM and may not be delivered"),
    (Class::RateLimit, "550 Domain a.test has exceeded the max emails per hour (150/150 (100%)) allowed. Message discarded."),
    (Class::Login, "550-Please turn on SMTP Authentication in your mail client. 550 is not permitted to relay through this server without authentication."),
    (Class::Syntax, "554 SMTP synchronization error"),
    // Sendmail
    (Class::NoSuchUser, "550 5.1.1 <bob@b.test>... User unknown"),
    (Class::RelayDenied, "550 5.7.1 <bob@b.test>... Relaying denied"),
    (Class::RelayDenied, "550 5.7.1 <bob@b.test>... Relaying denied. Proper authentication required."),
    (Class::ReverseName, "550 5.7.1 Relaying denied. IP name lookup failed [192.0.2.1]"),
    (Class::NoSuchHost, "550 5.1.2 <bob@b.test>... Host unknown (Name server: b.test: host not found)"),
    (Class::System, "451 4.3.0 Temporary internal failure"),
    (Class::TooManyConnections, "421 4.3.2 Connection rate limit exceeded."),
    // qmail
    (Class::NoSuchUser, "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)"),
    (Class::RelayDenied, "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
    (Class::MailboxFull, "552 sorry, the recipient's mailbox is full (#5.2.2)"),
    (Class::TooLarge, "552 sorry, that message size exceeds my databytes limit (#5.3.4)"),
    // Dovecot
    (Class::MailboxFull, "552 5.2.2 <bob@b.test> Quota exceeded (mailbox for user is full)"),
    // Zimbra
    (Class::System, "421 4.3.2 Service shutting down"),
    // MailMarshal
    (Class::RelayDenied, "550 Relaying denied for <bob@b.test>"),
    // MDaemon
    (Class::NoSuchUser, "550 <bob@b.test>, Recipient unknown"),
    // Kerio
    (Class::NoSuchUser, "550 5.1.1 <bob@b.test> Mailbox unavailable: address does not exist"),
    // hMailServer
    (Class::NoSuchUser, "550 Unknown user"),
    // rspamd
    (Class::Spam, "554 5.7.1 Gtube pattern / spam message rejected"),
    (Class::Greylisted, "451 4.7.1 Try again later, greylisted"),
    // amavis
    (Class::Virus, "554 5.7.0 Reject, id=12345-01 - INFECTED: Eicar-Test-Signature"),
    (Class::Content, "554 5.7.0 Reject, id=12345-02 - BANNED: .exe,setup.exe"),
    // docomo
    (Class::RecipientRefuses, "550 Unknown user bob@docomo.ne.jp"),
    // au
    (Class::TooManyConnections, "421 4.7.1 Too many connections or messages in a time"),
    // Facebook
    (Class::RecipientRefuses, "550 5.1.1 RCP-P2 http://postmaster.facebook.com/response_codes?ip=192.0.2.1#rcp Refused due to recipient preferences"),
    (Class::Blocklisted, "554 5.7.1 POL-P4 http://postmaster.facebook.com/response_codes Message refused"),
    // Google Groups
    (Class::NotAuthorized, "550 5.7.1 You do not have permission to post messages to the group"),
];

#[test]
fn each_reply_has_the_class_that_its_author_gives_it() {
    let mut wrong = Vec::new();
    for (class, reply) in ROWS {
        let found = class_of_testimony(&ndr::read_words(reply));
        if found != *class {
            wrong.push(format!("{class} is {found}: {reply}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}
