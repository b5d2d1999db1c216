//! The library's functions, found at run time, and its values as ones that free themselves (RFC 2744; MIT's
//! `gssapi_ext.h` for `gss_acquire_cred_from`).
//!
//! The only place with `unsafe`. What makes it sound:
//! - the library is loaded once and never unloaded, so a function's address stays good;
//! - its C interface has been stable since 1.11, and the types below are laid out as its headers have them;
//! - each handle is made here, is owned by exactly one value, and is freed by that value's drop;
//! - what the library allocates is copied and given back at once; what it is lent outlives the call.
#![allow(unsafe_code)]
#![warn(clippy::undocumented_unsafe_blocks, unsafe_op_in_unsafe_fn)]

use std::{
    ffi::{CString, c_char, c_int, c_void},
    ptr::{null, null_mut},
    sync::OnceLock,
};

use crate::trouble::{Reason, Trouble};

/// The name under which MIT's library has been installed since 2002.
const FILE: &str = "libgssapi_krb5.so.2";

/// Kerberos 5 (RFC 1964): 1.2.840.113554.1.2.2.
const KERBEROS: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// `service@host` (RFC 2743 section 4.1): 1.2.840.113554.1.2.1.4.
const HOST_BASED: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04";
/// `name/instance@REALM` (RFC 1964 section 2.1.1): 1.2.840.113554.1.2.2.1.
const PRINCIPAL: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01";

/// GSS_S_CONTINUE_NEEDED.
const CONTINUE: u32 = 1;
/// Calling and routine errors; what is below them only informs.
const ERRORS: u32 = 0xffff_0000;
/// GSS_S_FAILURE.
const FAILURE: u32 = 13 << 16;
/// GSS_C_INDEFINITE.
const FOREVER: u32 = u32::MAX;
/// GSS_C_MUTUAL_FLAG: the server proves itself too.
const MUTUAL: u32 = 2;
/// GSS_C_INTEG_FLAG: messages can be wrapped.
const INTEGRITY: u32 = 32;

#[repr(C)]
struct Oid {
    length: u32,
    elements: *const c_void,
}

#[repr(C)]
struct OidSet {
    count: usize,
    elements: *const Oid,
}

#[repr(C)]
struct Buffer {
    length: usize,
    value: *const c_void,
}

#[repr(C)]
struct Bindings {
    initiator_type: u32,
    initiator: Buffer,
    acceptor_type: u32,
    acceptor: Buffer,
    application: Buffer,
}

#[repr(C)]
struct StoreElement {
    key: *const c_char,
    value: *const c_char,
}

#[repr(C)]
struct Store {
    count: u32,
    elements: *const StoreElement,
}

type Handle = *mut c_void;

macro_rules! functions {
    ($($name:ident($($argument:ty),*);)*) => {
        struct Functions { $($name: unsafe extern "C" fn(*mut u32, $($argument),*) -> u32,)* }

        impl Functions {
            fn find(library: &libloading::Library) -> Result<Self, libloading::Error> {
                // SAFETY: the types are those of the headers that the library was built with.
                unsafe { Ok(Self { $($name: *library.get(concat!(stringify!($name), "\0").as_bytes())?,)* }) }
            }
        }
    };
}

functions! {
    gss_import_name(*const Buffer, *const Oid, *mut Handle);
    gss_display_name(Handle, *mut Buffer, *mut *const Oid);
    gss_release_name(*mut Handle);
    gss_acquire_cred_from(Handle, u32, *const OidSet, c_int, *const Store, *mut Handle, *mut *const OidSet, *mut u32);
    gss_release_cred(*mut Handle);
    gss_init_sec_context(
        Handle, *mut Handle, Handle, *const Oid, u32, u32, *const Bindings, *const Buffer, *mut *const Oid,
        *mut Buffer, *mut u32, *mut u32
    );
    gss_accept_sec_context(
        *mut Handle, Handle, *const Buffer, *const Bindings, *mut Handle, *mut *const Oid, *mut Buffer, *mut u32,
        *mut u32, *mut Handle
    );
    gss_delete_sec_context(*mut Handle, *mut Buffer);
    gss_wrap(Handle, c_int, u32, *const Buffer, *mut c_int, *mut Buffer);
    gss_unwrap(Handle, *const Buffer, *mut Buffer, *mut c_int, *mut u32);
    gss_release_buffer(*mut Buffer);
    gss_display_status(u32, c_int, *const Oid, *mut u32, *mut Buffer);
}

/// The machine's library, once it was found.
pub struct Library {
    functions: Functions,
}

/// What a name is written like.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// `smtp@host`, or `smtp` for the service on any host of ours.
    HostBased,
    /// `anna@EXAMPLE.TEST`.
    Principal,
}

/// What a credential is for; the numbers are the C interface's.
#[derive(Clone, Copy)]
pub(crate) enum Usage {
    /// To log in.
    Initiate = 1,
    /// To be logged in to.
    Accept = 2,
}

/// A name, as the library keeps it.
pub(crate) struct Name(Handle, &'static Library);

/// A key or ticket, as the library keeps it.
pub(crate) struct Credential(Handle, &'static Library);

/// A context; null before its first step.
pub(crate) struct Security(Handle, &'static Library);

/// What a step of a context gave.
pub(crate) struct Stepped {
    /// For the other side; may be empty.
    pub token: Vec<u8>,
    /// Nothing more is expected.
    pub established: bool,
}

impl Library {
    /// The library, loaded at the first call.
    ///
    /// # Errors
    /// It is not installed, or lacks a function.
    pub fn load() -> Result<&'static Self, Trouble> {
        static LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();
        let loaded = LIBRARY.get_or_init(|| {
            // SAFETY: its initialisers only set up locks and tables; it is never unloaded.
            let library = unsafe { libloading::Library::new(FILE) };
            let library = Box::leak(Box::new(library.map_err(|error| error.to_string())?));
            let functions = Functions::find(library).map_err(|error| error.to_string())?;
            Ok(Self { functions })
        });
        let missing = |words: &String| Trouble { reason: Reason::NoLibrary, words: words.clone() };
        loaded.as_ref().map_err(missing)
    }

    pub(crate) fn name(&'static self, text: &str, form: Form) -> Result<Name, Trouble> {
        let (text, kind) = (lend(text.as_bytes()), oid(form.oid()));
        let (mut name, mut minor) = (null_mut(), 0);
        // SAFETY: `text` and `kind` live through the call, and the handle goes into its owner.
        let major =
            unsafe { (self.functions.gss_import_name)(&mut minor, &text, &kind, &mut name) };
        self.check(major, minor)?;
        Ok(Name(name, self))
    }

    /// From where `store` says (keys of MIT's `cred_store`: `keytab`, `client_keytab`, `ccache`), for that
    /// name or any.
    pub(crate) fn credential(
        &'static self,
        name: Option<&Name>,
        usage: Usage,
        store: &[(&CString, &CString)],
    ) -> Result<Credential, Trouble> {
        let name = name.map_or(null_mut(), |name| name.0);
        let kerberos = oid(KERBEROS);
        let mechanisms = OidSet { count: 1, elements: &kerberos };
        let element = |(key, value): &(&CString, &CString)| StoreElement {
            key: key.as_ptr(),
            value: value.as_ptr(),
        };
        let elements: Vec<StoreElement> = store.iter().map(element).collect();
        let count = u32::try_from(elements.len()).unwrap_or_default();
        let store = Store { count, elements: elements.as_ptr() };
        let (mut credential, mut minor) = (null_mut(), 0);
        // SAFETY: all that is lent lives through the call; null stands for results that nobody wants.
        let major = unsafe {
            (self.functions.gss_acquire_cred_from)(
                &mut minor,
                name,
                FOREVER,
                &mechanisms,
                usage as c_int,
                &store,
                &mut credential,
                null_mut(),
                null_mut(),
            )
        };
        self.check(major, minor)?;
        Ok(Credential(credential, self))
    }

    pub(crate) fn context(&'static self) -> Security {
        Security(null_mut(), self)
    }

    fn check(&self, major: u32, minor: u32) -> Result<(), Trouble> {
        if major & ERRORS == 0 {
            return Ok(());
        }
        // A plain failure's own words only point to the minor status, which has none for some of them.
        let precise = self.status(minor, 2);
        let words = match major & ERRORS {
            _ if minor == 0 || precise == "Success" => self.status(major, 1),
            FAILURE => precise,
            _ => format!("{}: {precise}", self.status(major, 1)),
        };
        Err(Trouble { reason: Reason::of(major, minor), words })
    }

    /// A status number's words; `kind` is 1 for the major one, 2 for the mechanism's.
    fn status(&self, number: u32, kind: c_int) -> String {
        let kerberos = oid(KERBEROS);
        let (mut more, mut minor, mut texts) = (0, 0, Vec::new());
        // A number has a handful of words at the most.
        for _ in 0..8 {
            let mut text = Buffer::EMPTY;
            // SAFETY: as above; the library fills `text`, and `take` gives it back.
            let major = unsafe {
                (self.functions.gss_display_status)(
                    &mut minor, number, kind, &kerberos, &mut more, &mut text,
                )
            };
            let text = self.take(&mut text);
            if major & ERRORS != 0 {
                break;
            }
            texts.push(String::from_utf8_lossy(&text).replace(['\r', '\n'], " "));
            if more == 0 {
                break;
            }
        }
        texts.join("; ")
    }

    /// Copies what the library allocated, and gives that back.
    fn take(&self, buffer: &mut Buffer) -> Vec<u8> {
        if buffer.value.is_null() {
            return Vec::new();
        }
        // SAFETY: the library said that so many octets are there, and they stay until the release below.
        let octets =
            unsafe { std::slice::from_raw_parts(buffer.value.cast::<u8>(), buffer.length) };
        let octets = octets.to_vec();
        let mut minor = 0;
        // SAFETY: the buffer is the library's own, and is released once: the call empties it.
        unsafe { (self.functions.gss_release_buffer)(&mut minor, buffer) };
        octets
    }
}

impl Security {
    /// A step of whoever logs in, towards `target`.
    pub fn initiate(
        &mut self,
        credential: &Credential,
        target: &Name,
        token: &[u8],
        bindings: Option<&[u8]>,
    ) -> Result<Stepped, Trouble> {
        let Self(context, library) = self;
        let (kerberos, token) = (oid(KERBEROS), lend(token));
        let bindings = bindings.map(channel);
        let (mut given, mut flags, mut minor) = (Buffer::EMPTY, 0, 0);
        // SAFETY: the handles are alive, what is lent lives through the call, and the context's handle is
        // written back to its owner also when the call fails.
        let major = unsafe {
            (library.functions.gss_init_sec_context)(
                &mut minor,
                credential.0,
                context,
                target.0,
                &kerberos,
                MUTUAL | INTEGRITY,
                0,
                bindings.as_ref().map_or(null(), std::ptr::from_ref),
                &token,
                null_mut(),
                &mut given,
                &mut flags,
                null_mut(),
            )
        };
        library.stepped(major, minor, &mut given, flags, MUTUAL | INTEGRITY)
    }

    /// A step of whoever is logged in to; gives the other's name when it is established.
    pub fn accept(
        &mut self,
        credential: &Credential,
        token: &[u8],
        bindings: Option<&[u8]>,
    ) -> Result<(Stepped, Name), Trouble> {
        let Self(context, library) = self;
        let token = lend(token);
        let bindings = bindings.map(channel);
        let (mut given, mut flags, mut minor) = (Buffer::EMPTY, 0, 0);
        let mut name = Name(null_mut(), library);
        // SAFETY: as above; null for delegated credentials means that none are taken.
        let major = unsafe {
            (library.functions.gss_accept_sec_context)(
                &mut minor,
                context,
                credential.0,
                &token,
                bindings.as_ref().map_or(null(), std::ptr::from_ref),
                &mut name.0,
                null_mut(),
                &mut given,
                &mut flags,
                null_mut(),
                null_mut(),
            )
        };
        Ok((library.stepped(major, minor, &mut given, flags, INTEGRITY)?, name))
    }

    /// Protects a message against alteration, without hiding it (RFC 4752 section 3.1: conf_flag is false).
    pub fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, Trouble> {
        let Self(context, library) = self;
        let message = lend(message);
        let (mut given, mut minor) = (Buffer::EMPTY, 0);
        // SAFETY: the context is established, which `Context` sees to; what is lent lives through the call.
        let major = unsafe {
            (library.functions.gss_wrap)(
                &mut minor,
                *context,
                0,
                0,
                &message,
                null_mut(),
                &mut given,
            )
        };
        let wrapped = library.take(&mut given);
        library.check(major, minor).map(|()| wrapped)
    }

    /// The message in a wrapped one.
    pub fn unwrap(&mut self, token: &[u8]) -> Result<Vec<u8>, Trouble> {
        let Self(context, library) = self;
        let token = lend(token);
        let (mut given, mut minor) = (Buffer::EMPTY, 0);
        // SAFETY: as for `wrap`.
        let major = unsafe {
            (library.functions.gss_unwrap)(
                &mut minor,
                *context,
                &token,
                &mut given,
                null_mut(),
                null_mut(),
            )
        };
        let message = library.take(&mut given);
        library.check(major, minor).map(|()| message)
    }
}

impl Library {
    fn stepped(
        &self,
        major: u32,
        minor: u32,
        given: &mut Buffer,
        flags: u32,
        wanted: u32,
    ) -> Result<Stepped, Trouble> {
        let token = self.take(given);
        self.check(major, minor)?;
        let established = major & CONTINUE == 0;
        if established && flags & wanted != wanted {
            return Err(Trouble { reason: Reason::Unprotected, words: String::new() });
        }
        Ok(Stepped { token, established })
    }
}

impl Name {
    /// As text: `anna@EXAMPLE.TEST`.
    pub fn text(&self) -> Result<String, Trouble> {
        let Self(name, library) = self;
        let (mut text, mut minor) = (Buffer::EMPTY, 0);
        // SAFETY: the name is alive, or null, which the library answers with an error.
        let major = unsafe {
            (library.functions.gss_display_name)(&mut minor, *name, &mut text, null_mut())
        };
        let text = library.take(&mut text);
        library.check(major, minor)?;
        let not_text = |_| Trouble {
            reason: Reason::Other,
            words: "the principal's name is not in UTF-8".to_owned(),
        };
        String::from_utf8(text).map_err(not_text)
    }
}

impl Form {
    fn oid(self) -> &'static [u8] {
        match self {
            Self::HostBased => HOST_BASED,
            Self::Principal => PRINCIPAL,
        }
    }
}

impl Buffer {
    const EMPTY: Self = Self { length: 0, value: null() };
}

fn lend(octets: &[u8]) -> Buffer {
    Buffer { length: octets.len(), value: octets.as_ptr().cast() }
}

fn oid(octets: &'static [u8]) -> Oid {
    Oid {
        length: u32::try_from(octets.len()).unwrap_or_default(),
        elements: octets.as_ptr().cast(),
    }
}

/// No addresses, as they differ behind a NAT: only what binds to TLS (RFC 5929 section 3 prefixes it).
fn channel(application: &[u8]) -> Bindings {
    Bindings {
        initiator_type: 0,
        initiator: Buffer::EMPTY,
        acceptor_type: 0,
        acceptor: Buffer::EMPTY,
        application: lend(application),
    }
}

macro_rules! freed_by {
    ($($value:ident: $function:ident($($argument:expr),*);)*) => {$(
        impl Drop for $value {
            fn drop(&mut self) {
                if !self.0.is_null() {
                    let mut minor = 0;
                    // SAFETY: the handle is the library's own and this is its only owner.
                    unsafe { (self.1.functions.$function)(&mut minor, &mut self.0, $($argument),*) };
                }
            }
        }

        // SAFETY: the library allows a handle to be used by any thread, one at a time (MIT's is thread-safe
        // since 1.4); a value has one owner.
        unsafe impl Send for $value {}
    )*};
}

freed_by! {
    Name: gss_release_name();
    Credential: gss_release_cred();
    Security: gss_delete_sec_context(null_mut());
}
