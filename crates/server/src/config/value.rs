//! How a setting's value is read from what someone gave, and written for people to read.
//! Invariant: what `show` writes never holds a secret, and is TOML that reads back as the same value otherwise.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use salon_edge::Network;
use toml::de::DeValue;

/// A value as some source gave it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// Text without a type, from the environment or the command line: stands for anything.
    Untyped(String),
    Text(String),
    Integer(i128),
    Bool(bool),
    List(Vec<Given>),
    /// What no setting takes, by its name in TOML.
    Other(&'static str),
}

impl Given {
    pub fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(int) => match i128::from_str_radix(int.as_str(), int.radix()) {
                Ok(int) => Self::Integer(int),
                Err(_) => Self::Other("a number out of all bounds"),
            },
            DeValue::Boolean(flag) => Self::Bool(*flag),
            DeValue::Array(items) => Self::List(items.iter().map(|item| Self::from_toml(item.get_ref())).collect()),
            DeValue::Float(_) => Self::Other("a number with a fraction"),
            DeValue::Datetime(_) => Self::Other("a date"),
            DeValue::Table(_) => Self::Other("a section"),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Untyped(text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list, or of text with commas between them.
    fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.clone()),
            given => {
                let items = given.text()?.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(items.map(|item| Self::Untyped(item.to_owned())).collect())
            }
        }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untyped(text) | Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(int) => write!(f, "{int}"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    f.write_str(if at > 0 { ", " } else { "" })?;
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
            Self::Other(kind) => f.write_str(kind),
        }
    }
}

/// What should have been given instead, as in "a whole number".
pub(super) type Expected = String;

/// A type that a setting can have.
pub(super) trait Value: Sized {
    /// Values of this type may hold secrets.
    const IS_SECRET: bool = false;

    /// `None` if it is not one.
    fn read(given: &Given) -> Option<Self>;

    /// What to give, as the end of "… must be".
    fn expected() -> Expected;

    /// The same to whoever gave this, which is none.
    fn instead_of(_given: &Given) -> Expected {
        Self::expected()
    }

    /// As TOML, without secrets.
    fn show(&self) -> String;
}

fn quoted(text: impl Into<String>) -> String {
    toml::Value::String(text.into()).to_string()
}

impl Value for String {
    fn read(given: &Given) -> Option<Self> {
        given.text().map(str::to_owned)
    }

    fn expected() -> String {
        "text".to_owned()
    }

    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

impl Value for bool {
    fn read(given: &Given) -> Option<Self> {
        match given {
            Given::Bool(flag) => Some(*flag),
            Given::Untyped(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn expected() -> String {
        "true or false".to_owned()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn read(given: &Given) -> Option<Self> {
                match given {
                    Given::Integer(int) => (*int).try_into().ok(),
                    Given::Untyped(text) => text.trim().replace('_', "").parse().ok(),
                    _ => None,
                }
            }

            fn expected() -> String {
                // Beyond a port's 16 bits the bound says nothing to people.
                if size_of::<Self>() > 2 { "a whole number".to_owned() } else { format!("a whole number from 0 to {}", Self::MAX) }
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
whole_numbers!(u16, u32, u64, usize);

macro_rules! parsed {
    ($($type:ty: $expected:literal),* $(,)?) => {$(
        impl Value for $type {
            fn read(given: &Given) -> Option<Self> {
                given.text()?.trim().parse().ok()
            }

            fn expected() -> String {
                $expected.to_owned()
            }

            fn show(&self) -> String {
                quoted(self.to_string())
            }
        }
    )*};
}
parsed! {
    SocketAddr: "an address with a port, such as 127.0.0.1:8787 or [::1]:8787",
    IpAddr: "an IP address, such as 192.0.2.7 or 2001:db8::7",
    Network: "an IP address, or a network such as 10.0.0.0/8",
}

impl Value for PathBuf {
    fn read(given: &Given) -> Option<Self> {
        given.text().filter(|path| !path.is_empty()).map(Self::from)
    }

    fn expected() -> String {
        "a path".to_owned()
    }

    fn show(&self) -> String {
        quoted(self.to_string_lossy())
    }
}

/// A list, or text with commas between the items.
impl<T: Value> Value for Vec<T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn read(given: &Given) -> Option<Self> {
        given.items()?.iter().map(T::read).collect()
    }

    fn instead_of(given: &Given) -> Expected {
        let wrong = given.items().into_iter().flatten().find(|item| T::read(item).is_none());
        match wrong {
            Some(item) if !T::IS_SECRET => format!("{}; {item} is none", Self::expected()),
            _ => Self::expected(),
        }
    }

    fn expected() -> String {
        format!("a list, or text with commas, in which each item is {}", T::expected())
    }

    fn show(&self) -> String {
        format!("[{}]", self.iter().map(T::show).collect::<Vec<_>>().join(", "))
    }
}

/// What stands in place of a secret.
const MASK: &str = "***";

/// Text that is never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for its one use.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self(secret.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

impl Value for Secret {
    const IS_SECRET: bool = true;

    fn read(given: &Given) -> Option<Self> {
        given.text().map(Self::from)
    }

    fn expected() -> String {
        "text".to_owned()
    }

    fn show(&self) -> String {
        quoted(if self.is_empty() { "" } else { MASK })
    }
}

/// A URL that may hold a login. Has no `Display`, so that its password is printed by nobody who did not ask for it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LoginUrl(String);

impl LoginUrl {
    /// With the password, for opening it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Without the password: neither the one before the host, nor those among the parameters.
    pub fn masked(&self) -> String {
        // The last `@` ends the password, and parameters begin behind it: what is inside a password should have been
        // escaped, but people forget.
        let login = self.0.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)));
        let (login, rest) = match login.map(|(scheme, (user, rest))| (scheme, user.split_once(':'), rest)) {
            Some((scheme, Some((user, _)), rest)) => (format!("{scheme}://{user}:{MASK}@"), rest),
            _ => (String::new(), self.0.as_str()),
        };
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let mut text = format!("{login}{place}");
        for (at, parameter) in parameters.split('&').filter(|parameter| !parameter.is_empty()).enumerate() {
            text.push(if at == 0 { '?' } else { '&' });
            match parameter.split_once('=') {
                Some((name, _)) if name.to_ascii_lowercase().contains("password") => text.extend([name, "=", MASK]),
                _ => text.push_str(parameter),
            }
        }
        text
    }
}

impl From<&str> for LoginUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

impl fmt::Debug for LoginUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

impl Value for LoginUrl {
    const IS_SECRET: bool = true;

    fn read(given: &Given) -> Option<Self> {
        given.text().map(|url| Self::from(url.trim()))
    }

    fn expected() -> String {
        "a URL".to_owned()
    }

    fn show(&self) -> String {
        quoted(self.masked())
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: an object a line.
    Json,
}

impl Value for LogFormat {
    fn read(given: &Given) -> Option<Self> {
        match given.text()? {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    fn expected() -> String {
        "\"text\" or \"json\"".to_owned()
    }

    fn show(&self) -> String {
        quoted(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Who writes down what people say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TranscriptionEngine {
    None,
    Command,
    Http,
}

impl Value for TranscriptionEngine {
    fn read(given: &Given) -> Option<Self> {
        match given.text()? {
            "none" => Some(Self::None),
            "command" => Some(Self::Command),
            "http" => Some(Self::Http),
            _ => None,
        }
    }

    fn expected() -> String {
        "\"none\", \"command\" or \"http\"".to_owned()
    }

    fn show(&self) -> String {
        quoted(match self {
            Self::None => "none",
            Self::Command => "command",
            Self::Http => "http",
        })
    }
}
