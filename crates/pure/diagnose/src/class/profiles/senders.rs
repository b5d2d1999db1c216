//! Refusals that are about who sends and what is sent.

use super::super::{Class, Profile, Retry};
use crate::finding::Party;

pub(super) const SENDER_REFUSED: Profile = Profile {
    class: Class::SenderRefused,
    name: "sender-refused",
    title: "the sender's address is refused",
    means: "The server does not accept the address that the message is from (MAIL FROM, or the From field).",
    causes: &[
        "the sender's domain has no MX and no address in the DNS, or is misspelt in the program that sends",
        "the address is on the receiver's own deny list, or the group takes mail from members only",
        "the account may not send under this address",
    ],
    remedies: &[
        "look at the MAIL FROM that was used; it must be an address that exists and takes mail",
        "look its domain up: `mailwright mx DOMAIN` as seen from outside",
        "if it is right, ask the recipient's postmaster to let it in",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const NOT_AUTHORIZED: Profile = Profile {
    class: Class::NotAuthorized,
    name: "not-authorized",
    title: "not allowed to send there",
    means: "The server knows what is wanted, and this sender or client may not do it: a permission is missing.",
    causes: &[
        "the recipient or group takes mail only from certain or authenticated senders",
        "a rule of the receiving organization blocks this sender",
        "the client's address is not on the server's list of those who may send through it",
    ],
    remedies: &[
        "ask the recipient's administrator to allow the sender (in Exchange: `RequireSenderAuthenticationEnabled`, \
         `AcceptMessagesOnlyFrom`)",
        "if it is your own server: look at the rules of the connector or listener that said it",
    ],
    retry: Retry::AfterChange,
    who: Party::Policy,
};

pub(super) const LOGIN: Profile = Profile {
    class: Class::Login,
    name: "login",
    title: "login required or refused",
    means: "The server wants the client to authenticate (AUTH), or did not accept the credentials.",
    causes: &[
        "the client did not log in: authentication is off in its settings, or it uses port 25 instead of 587",
        "user name or password is wrong, expired or locked; the provider wants an app password or OAuth",
        "the mechanism is only offered under TLS, and the client did not start it",
    ],
    remedies: &[
        "switch authentication on in the program or connector that sends, with STARTTLS on port 587 or TLS on 465",
        "try the credentials by hand: `mailwright send --auth USER` with the same host",
        "look whether the account is locked at the provider",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const RELAY_DENIED: Profile = Profile {
    class: Class::RelayDenied,
    name: "relay-denied",
    title: "relaying denied",
    means: "The server is not in charge of the recipient's domain, and does not pass mail on for this client.",
    causes: &[
        "the client did not log in, and its address is not on the server's list",
        "the domain's MX points to a server that does not know the domain (a move, a typo, a lapsed contract)",
        "the mail was sent to the wrong server by a route or smart host",
    ],
    remedies: &[
        "if you send through this server: log in, or have your address allowed there",
        "if it is the recipient's MX: tell the recipient's administrator that it does not accept their domain",
        "check routes and smart hosts of the server that tried",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const BLOCKLISTED: Profile = Profile {
    class: Class::Blocklisted,
    name: "blocklisted",
    title: "blocked by address",
    means: "The server does not talk to the address that the connection came from, or refuses a domain in the message: \
            it is on a blocklist or on a list of the server's own.",
    causes: &[
        "the address sent spam: an abused account, web form or machine behind the same address",
        "the address is new to you, and its previous user was listed",
        "it is a dial-up or cloud address that should send through its provider",
        "the receiver asks a list that is closed, or that refuses its questions",
    ],
    remedies: &[
        "look the address up on the page of the list that the reply names, and find out why it is listed",
        "stop the cause first (queue, authenticated users, infected machines), then ask for removal",
        "until then send through another address or your provider's relay",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const BAD_REPUTATION: Profile = Profile {
    class: Class::BadReputation,
    name: "bad-reputation",
    title: "bad reputation",
    means: "The receiver keeps a record of what came from this address or domain, and it is not good enough.",
    causes: &[
        "users there marked mail from it as spam",
        "a new address or domain that sends much at once",
        "many unknown recipients, or mail without SPF and DKIM",
    ],
    remedies: &[
        "look at the receiver's page for senders (Google Postmaster Tools, Outlook SNDS, Yahoo Sender Hub)",
        "send less and slowly, only to those who asked for it; sign with DKIM, publish SPF and DMARC",
        "find accounts or forms that are abused",
    ],
    retry: Retry::ByCode,
    who: Party::Client,
};

pub(super) const RATE_LIMIT: Profile = Profile {
    class: Class::RateLimit,
    name: "rate-limit",
    title: "too much in too short a time",
    means: "The server, the account or the mailbox takes only so many messages in a time, and that is reached.",
    causes: &[
        "a bulk sending, or an account that is abused",
        "the recipient receives very much mail just now",
        "the quota of a provider's relay",
    ],
    remedies: &[
        "nothing for a single message: it is tried again later",
        "look who sends so much; lower rate and connections to that site",
    ],
    retry: Retry::Helps,
    who: Party::Client,
};

pub(super) const TOO_MANY_CONNECTIONS: Profile = Profile {
    class: Class::TooManyConnections,
    name: "too-many-connections",
    title: "too many connections or recipients at once",
    means: "The server limits simultaneous connections, or recipients of one message, and the limit is reached.",
    causes: &[
        "the sender opens more connections than the receiver allows",
        "many clients share one address",
        "one message has more recipients than the server takes at once",
    ],
    remedies: &[
        "lower the number of connections to that site, or of recipients in one transaction",
        "else wait: a mail server tries again by itself",
    ],
    retry: Retry::Helps,
    who: Party::Client,
};

pub(super) const GREYLISTED: Profile = Profile {
    class: Class::Greylisted,
    name: "greylisted",
    title: "asked to come again later",
    means: "The server does not know this combination of client, sender and recipient yet, and wants to see it come again: \
            real mail servers do.",
    causes: &[
        "greylisting at the receiver",
        "the sender tries again from another address each time, and so is never known",
    ],
    remedies: &[
        "wait: the next attempt after some minutes passes",
        "if it never does: let all attempts of a message come from one address",
    ],
    retry: Retry::Helps,
    who: Party::Policy,
};

pub(super) const SPAM: Profile = Profile {
    class: Class::Spam,
    name: "spam",
    title: "taken for spam",
    means: "A filter judged the message itself, and took it for spam.",
    causes: &[
        "words, links or pictures in it look like spam, or a link's domain is listed",
        "the sender's domain has no SPF, DKIM and DMARC, or a bad reputation",
        "it was forwarded, and what it brought along failed the checks",
    ],
    remedies: &[
        "send a plain short text to the same recipient: if that passes, it is the content",
        "check SPF, DKIM and DMARC of the sender's domain",
        "ask the recipient's postmaster with the id in the reply; look for abused accounts if you did not send it",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const VIRUS: Profile = Profile {
    class: Class::Virus,
    name: "virus",
    title: "taken for malware",
    means: "A scanner found malware, or what it takes for it.",
    causes: &[
        "an attachment is infected",
        "a harmless file looks like malware: macros, encrypted archives, scripts",
        "a machine or an account of the sender's side sends by itself",
    ],
    remedies: &[
        "scan the attachment and the machine it came from with another scanner",
        "send the file by another way if it is clean, and tell the maker of the scanner",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const CONTENT: Profile = Profile {
    class: Class::Content,
    name: "content",
    title: "the content is not accepted",
    means: "Something in the message is not taken: a kind of attachment, a link, a character set, a word.",
    causes: &[
        "an attachment of a forbidden kind (programs, scripts, encrypted archives)",
        "a conversion that the server would have to do is not possible",
    ],
    remedies: &[
        "send it without the attachment, or by a link",
        "ask the recipient's postmaster which rule it was",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const POLICY: Profile = Profile {
    class: Class::Policy,
    name: "policy",
    title: "against a rule of the receiver",
    means: "A local rule of the receiving side says no; the reply does not tell which.",
    causes: &[
        "a filter's verdict on the sender or the content that the server does not want to explain",
        "a rule of the organization (attachments, domains, countries, times)",
    ],
    remedies: &[
        "follow the link in the reply, if there is one",
        "ask the recipient's postmaster with the exact text, the time and your address",
    ],
    retry: Retry::AfterChange,
    who: Party::Policy,
};

pub(super) const AUTHENTICATION: Profile = Profile {
    class: Class::Authentication,
    name: "authentication",
    title: "SPF, DKIM or DMARC did not pass",
    means: "The receiver checked whether the client may send for the sender's domain, and the answer was no.",
    causes: &[
        "the address that sent is not in the domain's SPF record",
        "there is no DKIM signature, or something changed the message after it was signed",
        "the mail was forwarded: SPF breaks by that, and DMARC too if no DKIM signature survives",
        "somebody else uses the domain",
    ],
    remedies: &[
        "look at the domain's records: `mailwright probe DOMAIN`",
        "put every sending address or service into SPF, sign with DKIM under the From domain",
        "forwarders: rewrite the reverse-path (SRS) and leave the content as it is",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const REVERSE_NAME: Profile = Profile {
    class: Class::ReverseName,
    name: "reverse-name",
    title: "the sending address has no proper name",
    means: "The receiver wants the client to have a proper name: a PTR record for its address whose name leads back to \
        it, and in EHLO a full name that the DNS knows.",
    causes: &[
        "there is no PTR record",
        "the name of the PTR record has no address record with this address",
        "the server says a name in EHLO that is not complete, or that the DNS does not know",
        "mail went out by another address than the one that was prepared (IPv6, a second line)",
    ],
    remedies: &[
        "have the PTR record set by whoever gave you the address, to the name that your server says in EHLO",
        "give that name an A or AAAA record with this address",
        "as a stopgap: send by IPv4 only, or through your provider's relay",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const TOO_LARGE: Profile = Profile {
    class: Class::TooLarge,
    name: "too-large",
    title: "the message is too large",
    means: "The message is larger than the server, or this recipient, takes.",
    causes: &[
        "large attachments (they grow by a third when they are encoded)",
        "a limit for this recipient, group or connector that is lower than the server's",
    ],
    remedies: &[
        "send a link, or several smaller messages",
        "the server's limit stands in its EHLO reply (SIZE): `mailwright probe DOMAIN`",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const NOT_COMPLIANT: Profile = Profile {
    class: Class::NotCompliant,
    name: "not-compliant",
    title: "the message breaks the format",
    means: "The message's header section or lines are not as RFC 5322 has them, and the server insists.",
    causes: &[
        "a field that must be there once is missing or there twice (From, Date, Subject, Message-ID)",
        "bare LF or CR line endings, lines over 998 octets, 8-bit octets in the header section",
    ],
    remedies: &[
        "correct the program that makes the message; a script that writes mail by hand is the usual one",
        "show it: `mailwright send --data FILE` with the same file to a test server",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};
