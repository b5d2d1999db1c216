//! Refusals and failures that are about machines: protocol, TLS, DNS, network, disks.

use super::super::{Class, Profile, Retry};
use crate::finding::Party;

pub(super) const SYNTAX: Profile = Profile {
    class: Class::Syntax,
    name: "syntax",
    title: "the dialogue went wrong",
    means: "The server did not understand a command, or it came out of order. This is about the conversation of two \
            programs; the recipient's address is not to blame.",
    causes: &[
        "something between the two programs (a virus scanner, a firewall that inspects SMTP) took a command away \
         or changed it",
        "an earlier command was refused, and the client went on regardless",
        "the sending program is faulty, or uses an extension that the server does not know",
    ],
    remedies: &[
        "capture the dialogue on the sending host's wire, and look whether every command is there: EHLO, MAIL, RCPT, DATA",
        "switch mail scanning of security software on that host off for a test, then inspection in the firewall",
        "speak to the server by hand from the same host; if that works, it is the program or what is in between",
    ],
    retry: Retry::AfterChange,
    who: Party::Unknown,
};

pub(super) const TLS: Profile = Profile {
    class: Class::Tls,
    name: "tls",
    title: "encryption is demanded or failed",
    means: "The server wants TLS before it goes on, or the two could not agree on it, or a certificate did not pass.",
    causes: &[
        "the client does not use STARTTLS where the server demands it",
        "versions or ciphers have nothing in common (old TLS 1.0 on one side)",
        "the certificate is expired, for another name, or not what MTA-STS or DANE promise",
        "a firewall takes STARTTLS away",
    ],
    remedies: &[
        "look at both sides: `mailwright probe HOST` shows version, cipher, chain and names",
        "renew the certificate; allow TLS 1.2 and 1.3; switch SMTP inspection off",
    ],
    retry: Retry::ByCode,
    who: Party::Unknown,
};

pub(super) const DNS: Profile = Profile {
    class: Class::Dns,
    name: "dns",
    title: "name resolution failed",
    means: "The sender's server could not find out where the domain's mail goes: the name servers gave no answer, or a broken \
            one.",
    causes: &[
        "the domain's name servers are down or badly configured (lame delegation, DNSSEC)",
        "the resolver of the sending server has trouble",
        "the MX record names a host that does not exist, or an address instead of a name",
    ],
    remedies: &[
        "look it up from two places: `mailwright mx DOMAIN`, and at a public resolver",
        "if only yours fails, look at your resolver; else tell who runs the domain",
    ],
    retry: Retry::ByCode,
    who: Party::Dns,
};

pub(super) const NETWORK: Profile = Profile {
    class: Class::Network,
    name: "network",
    title: "no connection, or it broke",
    means: "The server could not be reached, did not answer in time, or the connection broke in the midst.",
    causes: &[
        "the recipient's server is down, or its address in the DNS is wrong",
        "a firewall blocks port 25 on the way, often the sender's own provider",
        "large packets get lost (path MTU), or a box in between cuts the dialogue",
    ],
    remedies: &[
        "try from the sending host: `mailwright probe HOST` (every address, IPv4 and IPv6)",
        "try another host on the same port; if none answers, it is your own line or provider",
        "if only big messages fail, suspect the path's MTU",
    ],
    retry: Retry::Helps,
    who: Party::Unknown,
};

pub(super) const MAIL_LOOP: Profile = Profile {
    class: Class::MailLoop,
    name: "mail-loop",
    title: "the message goes round in a circle",
    means: "The message had passed so many servers, or one of them so often, that it was stopped: it never reaches a mailbox.",
    causes: &[
        "two addresses forward to each other, or one to itself",
        "a server sends mail for a domain that it should keep to the MX, which is itself or leads back to it",
        "after a move, two servers each think that the other has the mailbox (internal relay, split domain)",
    ],
    remedies: &[
        "read the Received fields of the returned message: the servers that come again are the circle",
        "look at the recipient's forwarding, then at the routes and the MX records of the domain",
        "do not send it again before that: it goes the same way",
    ],
    retry: Retry::AfterChange,
    who: Party::Server,
};

pub(super) const EXPIRED: Profile = Profile {
    class: Class::Expired,
    name: "expired",
    title: "tried in vain until the time was over",
    means: "Every attempt failed for a reason that might have passed by itself, and it did not. What matters is the trouble of the \
            single attempts.",
    causes: &[
        "the recipient's server was not reachable, or answered `later` every time",
        "the way there is blocked or misrouted on the sender's side",
        "greylisting that never lets the sender in, because it comes from another address each time",
    ],
    remedies: &[
        "look in the log of the server that wrote the report for the single attempts and their replies",
        "try it now: `mailwright probe DOMAIN`; if it works again, send the message anew",
    ],
    retry: Retry::AfterChange,
    who: Party::Unknown,
};

pub(super) const SYSTEM_FULL: Profile = Profile {
    class: Class::SystemFull,
    name: "system-full",
    title: "the server has no room",
    means: "Not the mailbox but the server's own disk or memory is full.",
    causes: &["a disk is full at the receiver", "too many messages wait in its queue"],
    remedies: &[
        "wait: it is tried again",
        "if it is your server: make room on the disk of its queue; if not, tell its postmaster by other means",
    ],
    retry: Retry::Helps,
    who: Party::Server,
};

pub(super) const SYSTEM: Profile = Profile {
    class: Class::System,
    name: "system",
    title: "trouble inside the server",
    means: "The server could not do its work for a reason of its own: a part of it is down or badly configured.",
    causes: &[
        "a filter, database or directory that it asks is not reachable",
        "a mistake in its configuration (mail loops back to itself, permissions)",
        "it is being restarted or overloaded",
    ],
    remedies: &[
        "wait if the code is 4yz: it is tried again",
        "if it stays so: tell the postmaster of that server, with time and exact words",
    ],
    retry: Retry::ByCode,
    who: Party::Server,
};

pub(super) const MAILER: Profile = Profile {
    class: Class::Mailer,
    name: "mailer",
    title: "local delivery failed",
    means: "The last server had the message, and a program that was to deliver it there (procmail, a list manager, a filter) \
            failed.",
    causes: &[
        "the recipient's forwarding or filter rule calls a program that fails",
        "permissions or paths of the mailbox are wrong",
    ],
    remedies: &[
        "tell the postmaster of that server; the recipient may have to mend a forwarding rule",
        "if it is your server: run the program by hand as that user, and look at its exit code",
    ],
    retry: Retry::ByCode,
    who: Party::Server,
};

pub(super) const UNKNOWN: Profile = Profile {
    class: Class::Unknown,
    name: "unknown",
    title: "the reason is not told",
    means: "The evidence does not say why.",
    causes: &["the server, or a program on the way, left the reason out"],
    remedies: &[
        "look in the log of the server that wrote the report, at the time of the attempt",
        "ask the postmaster of the server that spoke, with time and recipient",
    ],
    retry: Retry::ByCode,
    who: Party::Unknown,
};
