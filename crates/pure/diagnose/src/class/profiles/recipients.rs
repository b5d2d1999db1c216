//! Refusals that are about the recipient: the address, the mailbox, its domain.

use super::super::{Class, Profile, Retry};
use crate::finding::Party;

pub(super) const NO_SUCH_USER: Profile = Profile {
    class: Class::NoSuchUser,
    name: "no-such-user",
    title: "no such mailbox",
    means: "The server is in charge of the domain and has no mailbox of that name: the part in front of the @ is \
            wrong, or the mailbox is gone.",
    causes: &[
        "the address is misspelt, or completed by an outdated entry of the mail program",
        "the mailbox was deleted or renamed, for example because somebody left",
        "the recipients known to the server are out of date (a new mailbox not yet synchronized, a wrong MX host)",
    ],
    remedies: &[
        "compare the address with a recent mail from that person; delete the remembered entry and type it anew",
        "if it is right, reach the recipient by other means and ask who runs that domain's mail",
        "on lists: take the address off, repeated attempts cost reputation",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const NO_SUCH_HOST: Profile = Profile {
    class: Class::NoSuchHost,
    name: "no-such-host",
    title: "no such domain",
    means: "The domain behind the @ does not exist in the DNS, or has neither a mail server nor an address.",
    causes: &[
        "the domain is misspelt",
        "the domain has expired or was given up",
        "its name servers give wrong answers, or the sender's resolver does",
    ],
    remedies: &[
        "check the part behind the @",
        "look it up: `mailwright mx DOMAIN`, or `dig MX DOMAIN` at another resolver",
        "if it is right, tell who runs the domain by other means",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const TAKES_NO_MAIL: Profile = Profile {
    class: Class::TakesNoMail,
    name: "takes-no-mail",
    title: "the domain takes no mail",
    means: "The domain exists, and says that it receives no mail (a null MX, code 521 or 556), or its host is not \
            accepting any at present.",
    causes: &[
        "the domain is only used for a web site or for sending",
        "a similar domain was meant",
        "the MX record is missing or wrong",
    ],
    remedies: &[
        "look for another address of the recipient",
        "if the domain is yours: publish an MX record that points to your mail server",
    ],
    retry: Retry::ByCode,
    who: Party::Client,
};

pub(super) const MOVED: Profile = Profile {
    class: Class::Moved,
    name: "moved",
    title: "the mailbox has moved",
    means: "The mailbox is no longer at this address, and the server does not forward.",
    causes: &[
        "the recipient has another address now",
        "the domain's mail moved to another provider",
    ],
    remedies: &[
        "use the new address, if the reply names one; else ask the recipient",
        "if the domain is yours: check that the MX records name the new provider",
    ],
    retry: Retry::AfterChange,
    who: Party::Client,
};

pub(super) const SUSPENDED: Profile = Profile {
    class: Class::Suspended,
    name: "suspended",
    title: "the mailbox is disabled",
    means: "The mailbox exists and is switched off: locked, inactive, suspended or not paid.",
    causes: &[
        "the account was not used for long, or was locked by its provider",
        "somebody left, and the account waits for its deletion",
    ],
    remedies: &[
        "reach the recipient by other means; only they or their provider can switch it on again",
        "on lists: take the address off if it stays so",
    ],
    retry: Retry::ByCode,
    who: Party::Server,
};

pub(super) const MAILBOX_FULL: Profile = Profile {
    class: Class::MailboxFull,
    name: "mailbox-full",
    title: "the mailbox is full",
    means: "The mailbox exists and has no room for this message.",
    causes: &[
        "the recipient has reached the quota",
        "the mailbox is abandoned and has filled up",
        "this one message is larger than what is left",
    ],
    remedies: &[
        "tell the recipient by other means to delete something or to get more room",
        "then send it again; a smaller message may pass before that",
    ],
    retry: Retry::Helps,
    who: Party::Server,
};

pub(super) const RECIPIENT_REFUSES: Profile = Profile {
    class: Class::RecipientRefuses,
    name: "recipient-refuses",
    title: "the recipient's mailbox does not take it",
    means: "The mailbox, or a filter in front of it, does not take this message. Some providers say `unknown user` or \
            `mailbox unavailable` for this on purpose.",
    causes: &[
        "the recipient's settings refuse this sender, strangers, or mail of this kind",
        "the mailbox does not exist, and the server is vague about it",
        "the mailbox is temporarily locked or being moved",
    ],
    remedies: &[
        "check the address",
        "ask the recipient by other means to allow your address or domain",
    ],
    retry: Retry::ByCode,
    who: Party::Policy,
};
