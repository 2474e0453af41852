//! Where tests make the engine panic, as a bug would: `trap::spring` does it if the trap of that name is set.
//! Outside of tests it is nothing.

#[cfg(test)]
thread_local! {
    static SET: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
pub(crate) fn set(name: &'static str) {
    SET.set(Some(name));
}

#[cfg(test)]
pub(crate) fn is_set() -> bool {
    SET.get().is_some()
}

#[cfg(test)]
pub(crate) fn spring(name: &str) {
    if SET.get() == Some(name) {
        SET.set(None);
        panic!("the trap {name}");
    }
}

#[cfg(not(test))]
#[inline(always)]
pub(crate) fn spring(_: &str) {}
