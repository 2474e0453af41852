//! The macro behind the table of settings, and one row of it.
//! Invariant: everything known about a setting is said once, in the table of `settings.rs`.
//! Next: `value.rs` for how a type is read and written.

use super::value::{Expected, Given, Value};

/// One row of the table: a setting with all that is known about it.
pub struct Setting<C: 'static> {
    /// As in `--set`: `section.name`, or `name` at the top.
    pub key: &'static str,
    /// Empty at the top.
    pub section: &'static str,
    pub name: &'static str,
    /// The lines of its doc comment.
    pub doc: &'static [&'static str],
    pub(super) assign: fn(&mut C, &Given) -> Result<(), Expected>,
    pub(super) show: fn(&C) -> String,
    /// Its value may hold a secret, so that no message may repeat what was given.
    pub(super) is_secret: bool,
}

/// A section, for `salon.example.toml`.
pub(super) struct Section {
    pub name: &'static str,
    pub doc: &'static [&'static str],
}

/// Reads `given` as a `T` that passes `check`, and puts it into `slot`.
pub(super) fn assign<T: Value>(slot: &mut T, given: &Given, check: impl Fn(&T) -> Result<(), Expected>) -> Result<(), Expected> {
    let value = T::read(given).ok_or_else(|| T::instead_of(given))?;
    check(&value)?;
    *slot = value;
    Ok(())
}

/// Makes the structs, their defaults and the list of settings.
///
/// A row reads `name: Type = default;` or `name: Type = default, check;`. Its doc comment is what operators read.
/// Fields in the block behind `+` are worked out and cannot be set.
macro_rules! settings {
    (
        root {
            $( $(#[doc = $root_doc:literal])* $root:ident: $root_type:ty = $root_default:expr $(, $root_check:expr)?; )*
            + { $( $(#[doc = $root_extra_doc:literal])* $root_extra:ident: $root_extra_type:ty = $root_extra_default:expr; )* }
        }
        $(
            $(#[doc = $section_doc:literal])*
            $section:ident: $Section:ident {
                $( $(#[doc = $doc:literal])* $name:ident: $type:ty = $default:expr $(, $check:expr)?; )*
                $( + { $( $(#[doc = $extra_doc:literal])* $extra:ident: $extra_type:ty = $extra_default:expr; )* } )?
            }
        )*
    ) => {
        /// All settings, as meant.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Config {
            $( $(#[doc = $root_doc])* pub $root: $root_type, )*
            $( $(#[doc = $root_extra_doc])* pub $root_extra: $root_extra_type, )*
            $( $(#[doc = $section_doc])* pub $section: $Section, )*
        }

        impl Default for Config {
            fn default() -> Self {
                let mut config = Self {
                    $( $root: $root_default, )*
                    $( $root_extra: $root_extra_default, )*
                    $( $section: $Section::default(), )*
                };
                config.resolve();
                config
            }
        }

        $(
            $(#[doc = $section_doc])*
            #[derive(Clone, PartialEq)]
            pub struct $Section {
                $( $(#[doc = $doc])* pub $name: $type, )*
                $( $( $(#[doc = $extra_doc])* pub $extra: $extra_type, )* )?
            }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $( $name: $default, )* $( $( $extra: $extra_default, )* )? }
                }
            }

            // As operators see it: secrets stay out of logs and panics.
            impl std::fmt::Debug for $Section {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.debug_struct(stringify!($Section))
                        $( .field(stringify!($name), &format_args!("{}", $crate::config::value::Value::show(&self.$name))) )*
                        $( $( .field(stringify!($extra), &self.$extra) )* )?
                        .finish()
                }
            }
        )*

        /// The settings, in the order of the table.
        pub static SETTINGS: &[$crate::config::table::Setting<Config>] = &[
            $( $crate::config::table::Setting {
                key: stringify!($root),
                section: "",
                name: stringify!($root),
                doc: &[$($root_doc),*],
                assign: |config, given| $crate::config::table::assign(
                    &mut config.$root, given, $crate::config::table::check_or_any!($($root_check)?)),
                show: |config| $crate::config::value::Value::show(&config.$root),
                is_secret: <$root_type as $crate::config::value::Value>::IS_SECRET,
            }, )*
            $( $( $crate::config::table::Setting {
                key: concat!(stringify!($section), ".", stringify!($name)),
                section: stringify!($section),
                name: stringify!($name),
                doc: &[$($doc),*],
                assign: |config, given| $crate::config::table::assign(
                    &mut config.$section.$name, given, $crate::config::table::check_or_any!($($check)?)),
                show: |config| $crate::config::value::Value::show(&config.$section.$name),
                is_secret: <$type as $crate::config::value::Value>::IS_SECRET,
            }, )* )*
        ];

        pub(super) static SECTIONS: &[$crate::config::table::Section] = &[
            $( $crate::config::table::Section { name: stringify!($section), doc: &[$($section_doc),*] }, )*
        ];
    };
}

/// The check of a row, or the one that anything passes.
macro_rules! check_or_any {
    () => {
        |_| Ok(())
    };
    // A closure, so that a check of `&str` takes the `&String` of its setting.
    ($check:expr) => {
        |value| $check(value)
    };
}

pub(super) use {check_or_any, settings};
