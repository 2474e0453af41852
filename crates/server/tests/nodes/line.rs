//! A line to the database that can be cut: what goes over it then stands still, as when a cable is pulled.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

const SOCKET: &str = ".s.PGSQL.5432";

pub struct Line {
    folder: PathBuf,
    whole: watch::Sender<bool>,
    pub url: String,
}

impl Line {
    /// To the server that `url` names by the folder of its socket; `None` if it does not.
    pub fn to(url: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (base, folder_there) = url.split_once("?host=")?;
        let folder =
            std::env::temp_dir().join(format!("salon-line-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir_all(&folder).expect("a folder");
        let listener = UnixListener::bind(folder.join(SOCKET)).expect("a socket");
        let there = PathBuf::from(folder_there).join(SOCKET);
        let (whole, watching) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, there.clone(), watching.clone()));
            }
        });
        let url = format!("{base}?host={}", folder.display());
        Some(Self { folder, whole, url })
    }

    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// New connections work; those that stood still are gone.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn pass(mut near: UnixStream, there: PathBuf, mut whole: watch::Receiver<bool>) {
    if whole.wait_for(|whole| *whole).await.is_err() {
        return;
    }
    let Ok(mut far) = UnixStream::connect(there).await else { return };
    let mut cut = whole.clone();
    let is_cut = async { cut.wait_for(|whole| !*whole).await.map(drop) };
    let passed = tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => true,
        _ = is_cut => false,
    };
    if !passed {
        let _ = whole.wait_for(|whole| *whole).await.map(drop);
    }
}
