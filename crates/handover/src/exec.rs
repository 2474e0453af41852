//! Executing a program in the place of this one, and finding what the one before has left.
//! Signals that come in between wait: their handlers are gone with the old program and not yet there in the new one.
//! Invariant: every descriptor that is not packed is closed by the system when the new program begins.

use std::cell::Cell;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Resource, getrlimit};

use crate::bundle::{Broken, pack, unpack};
use crate::parcel::{Parcel, Unpacked};

/// Where a program finds the number of the descriptor with what is handed over.
const MARK: &str = "_SALON_HANDED_OVER";

/// And why the new program could not begin, for an old one that is back.
const WHY: &str = "_SALON_CAME_BACK";

/// Descriptors for everything that is not handed over.
const KEPT_BACK: u64 = 500;

/// Held back while no program listens.
const SIGNALS: [i32; 5] = [libc::SIGUSR2, libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1];

/// What this process was started with, to be known at its start: later the file may be gone or another.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it lies; links not resolved: one that points elsewhere by then is followed.
    pub path: PathBuf,
    pub arguments: Vec<OsString>,
}

impl Program {
    /// # Errors
    /// The system does not say where it lies.
    pub fn of_this_process() -> io::Result<Self> {
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_default();
        let real = std::env::current_exe()?;
        // One that came back is not there any more: another lies where it was called from.
        let path = as_called(&name).filter(|path| is_same(path, &real) || !real.exists()).unwrap_or(real);
        Ok(Self { path, arguments: arguments.collect() })
    }

    /// Executes what lies there now. Returns only if that cannot be.
    pub fn replace(&self, parcels: Vec<Parcel>) -> io::Error {
        replace_with(&self.path, &self.arguments, parcels, None)
    }
}

/// The path that somebody called a program by, as a shell finds it.
fn as_called(name: &OsStr) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return std::path::absolute(name).ok();
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn is_same(path: &Path, other: &Path) -> bool {
    let id = |path: &Path| path.metadata().ok().map(|of| (of.dev(), of.ino()));
    id(path).is_some_and(|known| id(other) == Some(known))
}

/// What the program before has left.
pub struct Received {
    parcels: Mutex<Vec<Unpacked>>,
    /// There are descriptors enough to keep all of them twice. Else what is unpacked cannot be given back.
    keeps: bool,
    bundle: OwnedFd,
    /// The program before, though its file may be gone, and its arguments.
    before: Option<(OwnedFd, Vec<OsString>)>,
    /// Why the program after could not begin, where this one is back.
    pub came_back: Option<String>,
}

/// What is there for this process; nothing if it was started in the ordinary way. To be called once, before anything is opened.
///
/// # Errors
/// Something is there that cannot be unpacked.
pub fn received() -> Option<Result<Received, Broken>> {
    let number: RawFd = std::env::var(MARK).ok()?.parse().ok()?;
    let link = std::fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    if !link.to_string_lossy().starts_with("/memfd:salon") {
        return None;
    }
    let mut bytes = Vec::new();
    // SAFETY: it is open, and made by the program before for nobody but this one. `unpack` says whether that is so.
    let bundle = unsafe { OwnedFd::from_raw_fd(number) };
    let mut file = File::from(bundle);
    if file.rewind().and_then(|()| file.read_to_end(&mut bytes)).is_err() {
        return Some(Err(Broken::Spoilt));
    }
    let mut parcels = match unpack(&bytes, std::process::id()) {
        Ok(parcels) => parcels,
        Err(Broken::NotForUs) => return None,
        Err(broken) => return Some(Err(broken)),
    };
    // A child that is started must have none of these.
    let owned = |number: &RawFd| {
        // SAFETY: the program before left it open for this one, which takes each number once.
        let descriptor = unsafe { OwnedFd::from_raw_fd(*number) };
        let _ = fcntl_setfd(&descriptor, FdFlags::CLOEXEC);
        descriptor
    };
    let before = parcels.pop().filter(|last| last.what == "before");
    let before = before.and_then(|last| Some((owned(last.descriptors.first()?), arguments_of(&last.bytes))));
    let unpacked = |parcel: Parcel| Unpacked {
        descriptors: parcel.descriptors.iter().map(owned).collect(),
        what: parcel.what,
        note: parcel.note,
        bytes: parcel.bytes,
    };
    let parcels: Vec<Unpacked> = parcels.into_iter().map(unpacked).collect();
    let taken: usize = parcels.iter().map(|parcel| parcel.descriptors.len()).sum();
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let keeps = 2 * taken as u64 + KEPT_BACK <= most;
    let parcels = Mutex::new(parcels);
    let bundle = OwnedFd::from(file);
    let _ = fcntl_setfd(&bundle, FdFlags::CLOEXEC);
    Some(Ok(Received { parcels, keeps, bundle, before, came_back: std::env::var(WHY).ok().filter(|why| !why.is_empty()) }))
}

impl Received {
    /// All that is for this one, with descriptors of their own: what is here can still be given back, if the system gives so many
    /// descriptors. To be asked once for each.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn unpack(&self, what: &str) -> io::Result<Vec<Unpacked>> {
        let mut parcels = self.parcels.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match self.keeps {
            true => parcels.iter().filter(|parcel| parcel.what == what).map(Unpacked::try_clone).collect(),
            false => Ok(parcels.extract_if(.., |parcel| parcel.what == what).collect()),
        }
    }

    /// Executes the program before, which finds everything as it left it. Returns only if that cannot be.
    pub fn give_back(self, why: &str) -> io::Error {
        if !self.keeps {
            return io::Error::other("too few descriptors were left to keep what it had");
        }
        let own = self.parcels.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Some((before, arguments)) = &self.before else { return io::Error::other("the program before is not known") };
        let path = PathBuf::from(format!("/proc/self/fd/{}", before.as_raw_fd()));
        let parcels = own.iter().map(|parcel| Parcel {
            what: parcel.what.clone(),
            note: parcel.note.clone(),
            bytes: parcel.bytes.clone(),
            descriptors: parcel.descriptors.iter().map(AsRawFd::as_raw_fd).collect(),
        });
        // Written anew: that it came back is not to be tried again for ever.
        drop(self.bundle);
        replace_with(&path, arguments, parcels.collect(), Some(why))
    }
}

/// Whether there is somebody to hear signals.
static AWAITED: AtomicBool = AtomicBool::new(false);

/// From now on signals come that were held back.
pub fn await_signals() {
    AWAITED.store(true, Ordering::Relaxed);
    set_mask(libc::SIG_UNBLOCK);
}

/// The same for a thread that was there before, and so for the programs that it starts: they inherit what their thread holds
/// back. To be called whenever it wakes up.
pub fn thread_awaits_signals() {
    thread_local!(static AWAITS: Cell<bool> = const { Cell::new(false) });
    if !AWAITS.get() && AWAITED.load(Ordering::Relaxed) {
        AWAITS.set(true);
        set_mask(libc::SIG_UNBLOCK);
    }
}

fn set_mask(how: i32) {
    // SAFETY: plain calls on a set of this function's own.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        SIGNALS.iter().for_each(|signal| {
            libc::sigaddset(&mut set, *signal);
        });
        libc::pthread_sigmask(how, &set, std::ptr::null_mut());
    }
}

fn replace_with(program: &Path, arguments: &[OsString], mut parcels: Vec<Parcel>, why: Option<&str>) -> io::Error {
    let prepared = (|| {
        let before = File::open("/proc/self/exe")?;
        let own: Vec<OsString> = std::env::args_os().skip(1).collect();
        let bytes = own.iter().flat_map(|one| one.as_bytes().iter().copied().chain([0])).collect();
        parcels.push(Parcel { what: "before".into(), bytes, descriptors: vec![before.as_raw_fd()], ..Parcel::default() });
        let bundle = memfd_create("salon", MemfdFlags::CLOEXEC)?;
        let mut file = File::from(bundle);
        file.write_all(&pack(&parcels, std::process::id()))?;
        Ok::<_, io::Error>((before, file))
    })();
    let (before, file) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return error,
    };
    let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
    let called = std::env::args_os().next().unwrap_or_default();
    let argv: io::Result<Vec<CString>> = std::iter::once(text(&called)).chain(arguments.iter().map(|one| text(one))).collect();
    let marks = [(MARK, file.as_raw_fd().to_string()), (WHY, why.unwrap_or_default().to_owned())];
    let kept = std::env::vars_os().filter(|(name, _)| name != MARK && name != WHY);
    let marks = marks.into_iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let variable = |(name, value): (OsString, OsString)| {
        text(&[name.as_os_str(), OsStr::new("="), &value].into_iter().collect::<OsString>())
    };
    let environment: io::Result<Vec<CString>> = kept.chain(marks).map(variable).collect();
    let (path, argv, environment) = match (text(program.as_os_str()), argv, environment) {
        (Ok(path), Ok(argv), Ok(environment)) => (path, argv, environment),
        _ => return io::ErrorKind::InvalidInput.into(),
    };
    let descriptors = || parcels.iter().flat_map(|parcel| parcel.descriptors.iter().copied());
    let all = descriptors().chain([before.as_raw_fd(), file.as_raw_fd()]);
    let failed = all.map(|number| keep(number, true)).find_map(Result::err);
    let error = failed.unwrap_or_else(|| execute(&path, &argv, &environment));
    descriptors().for_each(|number| drop(keep(number, false)));
    error
}

/// Arguments as they are packed, each with a zero behind it.
fn arguments_of(bytes: &[u8]) -> Vec<OsString> {
    let all = bytes.split_inclusive(|byte| *byte == 0);
    all.map(|one| OsStr::from_bytes(one.strip_suffix(&[0]).unwrap_or(one)).to_owned()).collect()
}

/// Whether a descriptor stays open when another program is executed.
fn keep(number: RawFd, kept: bool) -> io::Result<()> {
    // SAFETY: whoever packed it keeps it open as long as it is among the parcels. If it were not, the system would say so.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_setfd(descriptor.as_fd(), if kept { FdFlags::empty() } else { FdFlags::CLOEXEC })?;
    Ok(())
}

fn execute(path: &CString, argv: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |texts: &[CString]| -> Vec<*const libc::c_char> {
        texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, environment) = (pointers(argv), pointers(environment));
    set_mask(libc::SIG_BLOCK);
    // SAFETY: terminated texts in lists that end with null, alive until the call returns, if it does.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), environment.as_ptr()) };
    let error = io::Error::last_os_error();
    set_mask(libc::SIG_UNBLOCK);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_where_it_was_called_from() {
        let program = Program::of_this_process().expect("known");
        assert!(program.path.is_absolute() && is_same(&program.path, &std::env::current_exe().expect("known")));
        assert_eq!(as_called(OsStr::new("sh")).map(|path| path.is_absolute()), Some(true));
        assert_eq!(as_called(OsStr::new("no-such-program-anywhere")), None);
    }

    #[test]
    fn what_is_unpacked_can_be_given_back_only_where_there_are_descriptors_enough() {
        let received = |keeps| {
            let file = File::open("/dev/null").expect("opened");
            let parcel =
                |what: &str, descriptors| Unpacked { what: what.into(), note: String::new(), bytes: Vec::new(), descriptors };
            let parcels = vec![parcel("a", vec![file.try_clone().expect("another").into()]), parcel("b", Vec::new())];
            Received { parcels: Mutex::new(parcels), keeps, bundle: file.into(), before: None, came_back: None }
        };
        let left = |received: &Received| {
            assert_eq!(received.unpack("a").expect("unpacked").len(), 1);
            received.parcels.lock().expect("there").iter().map(|parcel| parcel.descriptors.len()).collect::<Vec<_>>()
        };
        let (rich, poor) = (received(true), received(false));
        assert_eq!((left(&rich), left(&poor)), (vec![1, 0], vec![0]));
        assert!(poor.give_back("it is broken").to_string().contains("too few descriptors"));
    }

    #[test]
    fn what_cannot_be_executed_leaves_everything_as_it_was() {
        let file = File::open("/dev/null").expect("opened");
        let parcel = Parcel { what: "x".into(), descriptors: vec![file.as_raw_fd()], ..Parcel::default() };
        let program = Program { path: "/no/such/program".into(), arguments: Vec::new() };
        assert_eq!(program.replace(vec![parcel]).kind(), io::ErrorKind::NotFound);
        assert_eq!(rustix::io::fcntl_getfd(&file).expect("open"), FdFlags::CLOEXEC);
        let closed = Parcel { what: "x".into(), descriptors: vec![9_999], ..Parcel::default() };
        assert_eq!(program.replace(vec![closed]).raw_os_error(), Some(libc::EBADF));
    }
}
