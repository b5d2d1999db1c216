//! Texts that are known word for word: who says them, what is meant, and where help is had.
//!
//! Asked before every general rule. A row needs all of its words, in lower case (`*` is anything).

use serde::Serialize;

use crate::class;

/// A text that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Who says it.
    pub who: &'static str,
    /// The words that tell it.
    #[serde(skip)]
    pub words: &'static str,
    /// What is meant.
    pub means: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// Where more stands; empty where nothing does.
    pub link: &'static str,
    /// Likely causes, where they are others than the class has.
    #[serde(skip)]
    pub causes: &'static [&'static str],
}

/// Why a server waits in vain for its client.
const IDLE: &[&str] = &[
    "the client keeps connections open for later mail: then nothing was lost, and this is only their end",
    "the client, or a person at telnet, took longer for the next command than the server waits",
    "what the client sent did not arrive: a box in between, or large packets that get lost (path MTU)",
];

/// The row whose words stand in `words`.
pub fn of(words: &str) -> Option<&'static Known> {
    let plain = class::plain(words);
    KNOWN.iter().find(|known| class::matches(&plain, known.words))
}

const fn row(
    who: &'static str,
    words: &'static str,
    means: &'static str,
    remedy: &'static str,
    link: &'static str,
) -> Known {
    Known { who, words, means, remedy, link, causes: &[] }
}

/// A server that gave up waiting for its client.
const fn idle(who: &'static str, words: &'static str) -> Known {
    Known {
        who,
        words,
        means: "It waited for the client's next command or data, none came, and it closes the connection.",
        remedy: "Nothing, if no message was under way; else see what the client was doing then: its log, or a capture.",
        link: "",
        causes: IDLE,
    }
}

/// The table. The precise before the general.
pub const KNOWN: [Known; 40] = [
    idle("Postfix", "4.4.2 * error: timeout exceeded"),
    idle("A server", "421 * idle"),
    idle("Exchange", "4.4.1 connection timed out"),
    idle("A server", "421 * timeout waiting for"),
    row(
        "Exchange",
        "504 * need to authenticate first",
        "As the answer to XEXCH50 it is harmless: strangers may not use that verb, and the mail goes on without it.",
        "See in the log which command came before. After XEXCH50: nothing to do, or stop the sending Exchange from using it \
        (SuppressExternal). After MAIL or RCPT: it wants a login.",
        "",
    ),
    row(
        "Outlook.com",
        "s3150",
        "Your address, or its network, is on Outlook.com's own block list (S3150).",
        "Ask for removal with Microsoft's form for senders; answer its mails; look at SNDS for the cause.",
        "https://olcsupport.office.com/",
    ),
    row(
        "Outlook.com",
        "s3140",
        "Your address, or its network, is on Outlook.com's own block list (S3140).",
        "Ask for removal with Microsoft's form for senders; answer its mails; look at SNDS for the cause.",
        "https://olcsupport.office.com/",
    ),
    row(
        "Exchange Online",
        "4.7.500 server busy",
        "Exchange Online holds mail from this address back: it sends more than its record allows. The server is not busy.",
        "Nothing at once: it is tried again. If it stays so, send less, and find what this address sends besides.",
        "https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online",
    ),
    row(
        "Outlook.com",
        "due to ip reputation",
        "Outlook.com limits how much it takes from your address because of its reputation (S775, S3114-S3115).",
        "Send less for some days; join SNDS and the Junk Mail Reporting Program, and find what was complained about.",
        "https://sendersupport.olc.protection.outlook.com/pm/",
    ),
    row(
        "Exchange Online",
        "access denied, banned sending ip",
        "Exchange Online has banned the sending address (5.7.606 to 5.7.649).",
        "Ask for removal on the delist portal; it takes up to a day.",
        "https://sender.office.com/",
    ),
    row(
        "Exchange Online",
        "5.7.511 access denied, banned sender",
        "Exchange Online has banned the sending address, and its form does not lift this ban.",
        "Forward the report to delist@microsoft.com.",
        "https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online",
    ),
    row(
        "Exchange Online",
        "5.4.1 * recipient address rejected: access denied",
        "The domain is at Exchange Online, which knows all its recipients, and this is none of them \
        (directory-based edge blocking).",
        "Check the address. If it is yours and new: wait for the directory's synchronization, or set the domain to `internal relay`.",
        "https://learn.microsoft.com/exchange/mail-flow-best-practices/use-directory-based-edge-blocking",
    ),
    row(
        "Exchange Online",
        "recipient address rejected: access denied",
        "The domain is at Exchange Online, which knows all its recipients, and this is none of them \
        (directory-based edge blocking).",
        "Check the address. If it is yours and new: wait for the directory's synchronization, or set the domain to `internal relay`.",
        "https://learn.microsoft.com/exchange/mail-flow-best-practices/use-directory-based-edge-blocking",
    ),
    row(
        "Exchange Online",
        "5.7.64 tenantattribution",
        "The mail came through a connector, and Exchange Online can't attribute it to a tenant: certificate or address do not fit.",
        "Look at the inbound connector: the certificate's name or the sending address must be the one that it expects.",
        "https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/fix-error-code-5-7-64-in-exchange-online",
    ),
    row(
        "Exchange Online",
        "5.7.57 * client was not authenticated",
        "A device or program sends by SMTP client submission without logging in.",
        "Give it a login, or use a connector or direct send; SMTP AUTH must be enabled for the mailbox.",
        "https://learn.microsoft.com/exchange/mail-flow-best-practices/how-to-set-up-a-multifunction-device-or-application-to-send-email-using-microsoft-365-or-office-365",
    ),
    row(
        "Exchange Online",
        "5.7.139 authentication unsuccessful",
        "The login was refused: basic authentication is off for this mailbox or tenant, or the credentials are wrong.",
        "Enable SMTP AUTH for the mailbox, or use OAuth.",
        "https://aka.ms/smtp_auth_disabled",
    ),
    row(
        "Exchange Online",
        "5.7.708 service unavailable",
        "A new tenant, or one without a good record, sends from addresses with a bad one.",
        "Wait or ask Microsoft's support; accounts that were abused must be secured first.",
        "https://aka.ms/EXOSmtpErrors",
    ),
    row(
        "Exchange Online",
        "5.1.8 access denied, bad outbound sender",
        "The sending account is blocked because it sent spam.",
        "Secure the account, then take it off the list of restricted entities.",
        "https://security.microsoft.com/restrictedentities",
    ),
    row(
        "Exchange",
        "resolver.adr.recip",
        "Exchange's own directory has no recipient of that address. No other server was asked.",
        "Check the address. After a move: an old X.500 address (LegacyExchangeDN) in the sender's autocompletion is the usual cause; \
         add it to the recipient, or delete the entry.",
        "",
    ),
    row(
        "Exchange",
        "resolver.adr.exrecipnotfound",
        "The sender's Outlook used an old internal address (LegacyExchangeDN), from autocompletion or an old mail.",
        "Delete the entry in autocompletion, or add the address as X500 to the recipient.",
        "",
    ),
    row(
        "Exchange",
        "resolver.rst.authrequired",
        "The recipient or group takes mail from authenticated senders only: from inside.",
        "Who runs that Exchange may allow outside senders (`RequireSenderAuthenticationEnabled $false`).",
        "",
    ),
    row(
        "Exchange",
        "resolver.rst.notauthorized",
        "The recipient takes mail only from certain senders.",
        "Who runs that Exchange may add the sender to `AcceptMessagesOnlyFrom`.",
        "",
    ),
    row(
        "Exchange",
        "resolver.rst.recipsizelimit",
        "The message is larger than this recipient takes.",
        "Send it smaller, or have the mailbox's limit raised (`MaxReceiveSize`).",
        "",
    ),
    row(
        "Exchange",
        "storedrv.deliver * quota",
        "The mailbox is full.",
        "The mailbox's owner has to delete something.",
        "",
    ),
    row(
        "Gmail",
        "very low reputation of the sending ip",
        "Gmail thinks badly of your address.",
        "Look at Postmaster Tools; send less, only to those who asked; check SPF, DKIM, DMARC and PTR.",
        "https://support.google.com/mail/answer/81126",
    ),
    row(
        "Gmail",
        "very low reputation of the sending domain",
        "Gmail thinks badly of your domain.",
        "Look at Postmaster Tools; send less, only to those who asked; check SPF, DKIM and DMARC.",
        "https://support.google.com/mail/answer/188131",
    ),
    row(
        "Gmail",
        "p=unsolicitedratelimiterror",
        "Gmail limits what it takes from your address: much of it looks unsolicited.",
        "Send less for some days; find abused accounts and forwarders.",
        "https://support.google.com/mail/?p=UnsolicitedRateLimitError",
    ),
    row(
        "Gmail",
        "receiving mail at a rate that prevents",
        "This one mailbox receives too much at the moment.",
        "Nothing: it is tried again.",
        "https://support.google.com/mail/?p=ReceivingRate",
    ),
    row(
        "Gmail",
        "due to domain's dmarc policy",
        "Neither SPF nor DKIM speaks for the From domain, and its DMARC record asks to reject that.",
        "Sign with DKIM under the From domain, or send from an address in its SPF record with a reverse-path of that domain.",
        "https://support.google.com/mail/?p=DmarcRejection",
    ),
    row(
        "Gmail",
        "does not have a ptr record",
        "The sending address has no name in the DNS, or one that does not lead back.",
        "Set PTR and its address record; with IPv6 too, or send by IPv4.",
        "https://support.google.com/mail/?p=IPv6AuthError",
    ),
    row(
        "Gmail",
        "blocked because the sender is unauthenticated",
        "Neither SPF nor DKIM passed; Gmail demands one of them.",
        "Publish SPF for the reverse-path's domain, sign with DKIM.",
        "https://support.google.com/mail/answer/81126",
    ),
    row(
        "Yahoo",
        "[tss04]",
        "Yahoo holds mail from this address back because of volume or complaints.",
        "Wait, send less, and look at the complaints (Sender Hub).",
        "https://senders.yahooinc.com/smtp-error-codes/",
    ),
    row(
        "Yahoo",
        "[ts03]",
        "Yahoo refuses this address because of complaints or spam.",
        "Stop sending, find the cause, then ask at the Sender Hub.",
        "https://senders.yahooinc.com/smtp-error-codes/",
    ),
    row(
        "T-Online",
        "tosa@rx.t-online.de",
        "T-Online takes mail only from addresses that it knows as mail servers: with a name in the DNS that leads back (PTR), \
        under a domain that says who runs it. (NOWL) is one that it does not know, (BL) one that it has blocked.",
        "Set PTR and its address record, put an imprint with a contact on that domain's web page, then write to tosa@rx.t-online.de.",
        "https://postmaster.t-online.de/",
    ),
    row(
        "QQ or Tencent",
        "frequency limited",
        "QQ takes only so much from an address or domain in a time. It says so by a code that is final, and takes the same mail later.",
        "Send it again later, and slower.",
        "https://service.mail.qq.com/",
    ),
    row(
        "Orange",
        "ofr_",
        "Orange (France) says it: the number behind OFR tells the rule; 416 is an unknown recipient, 506 content, 999 a limit.",
        "416: check the address; else slow down, and ask Orange's postmaster with the number.",
        "https://postmaster.orange.fr/",
    ),
    row(
        "Proofpoint",
        "support.proofpoint.com/dnsbl-lookup",
        "The sending address is on Proofpoint's dynamic reputation list.",
        "Look it up and ask for removal there.",
        "https://ipcheck.proofpoint.com/",
    ),
    row(
        "Cloudmark",
        "csi.cloudmark.com",
        "The sending address is on Cloudmark's sender list.",
        "Look it up and ask for a reset there.",
        "https://csi.cloudmark.com/reset-request/",
    ),
    row(
        "GMX or WEB.DE",
        "postmaster.gmx",
        "The mail was refused by GMX's or WEB.DE's rules.",
        "The page behind the link tells the rule.",
        "https://postmaster.gmx.net/en/error-messages",
    ),
    row(
        "Spamhaus",
        "127.255.255.",
        "The receiver's question to the list was refused (public resolver or too many), and it took that for a listing. Nobody is listed.",
        "Tell the receiver's postmaster: the server must ask through a resolver of its own.",
        "https://www.spamhaus.com/product/help-for-spamhaus-public-mirror-users/",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_reached() {
        for known in &KNOWN {
            let said = format!("550 {}", known.words.replace('*', " x "));
            assert_eq!(of(&said).map(|found| found.words), Some(known.words), "{said}");
            assert!(known.means.ends_with('.') && known.remedy.ends_with('.'), "{}", known.words);
        }
        assert_eq!(of("550 no such user"), None);
    }
}
