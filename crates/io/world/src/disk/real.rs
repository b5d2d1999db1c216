//! The machine's own file systems.
//!
//! Directories are made with mode 0700 and files with 0600: what is queued is nobody else's business.
//! Calls block and are retried when a signal interrupts them; every other error is handed up.

use std::{
    fs,
    io::{self, IoSlice},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{FallocateFlags, FlockOperation};

use super::{Disk, File, Open};

/// The most slices that one system call takes (Linux's IOV_MAX).
const SLICES_MAX: usize = 1024;

/// The machine's own file systems.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).ok_or(e)?;
                self.create_directory(parent)?;
                match fs::DirBuilder::new().mode(0o700).create(path) {
                    // Somebody else was on the same way; what stands may not be synced yet.
                    Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
                    done => done?,
                }
            }
            Err(e) => return Err(e),
        }
        self.sync_directory(parent_of(path))
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).mode(0o600);
        match how {
            Open::Read => &mut options,
            Open::Write => options.write(true),
            Open::New => options.write(true).create_new(true),
            Open::Any => options.write(true).create(true).truncate(false),
        };
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut names = fs::read_dir(path)?
            .map(|entry| entry.map(|entry| PathBuf::from(entry.file_name())))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn free(&self, path: &Path) -> io::Result<u64> {
        let figures = rustix::fs::statvfs(path)?;
        Ok(figures.f_bavail.saturating_mul(figures.f_frsize))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Box::new(file))
    }
}

/// An empty parent means the current directory.
fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

struct RealFile(fs::File);

impl File for RealFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read_at(buffer, offset) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn write_at(&self, mut offset: u64, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let some = slices.len().min(SLICES_MAX);
            match rustix::io::pwritev(&self.0, &slices[..some], offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, length) {
            Ok(()) => Ok(()),
            // Some file systems (NFS before 4.2, ZFS) reserve nothing; the length is still wanted.
            Err(rustix::io::Errno::OPNOTSUPP) if self.len()? < length => self.set_len(length),
            Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::disk::{read_exact_at, write_all_at};

    fn directory(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("mailwright-disk-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn two_may_make_the_same_directories_at_once() {
        let top = directory("race");
        for round in 0..200 {
            let at = |leaf| top.join(format!("{round}/a/b/{leaf}"));
            let start = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                for leaf in ["x", "y"] {
                    let (start, path) = (&start, at(leaf));
                    scope.spawn(move || {
                        start.wait();
                        RealDisk.create_directory(&path).unwrap();
                    });
                }
            });
            assert!(at("x").is_dir() && at("y").is_dir());
        }
        fs::remove_dir_all(&top).unwrap();
    }

    #[test]
    fn what_is_written_is_read_and_nobody_else_may_look() {
        let top = directory("rw");
        RealDisk.create_directory(&top.join("a/b")).unwrap();
        assert_eq!(fs::metadata(top.join("a")).unwrap().permissions().mode() & 0o777, 0o700);
        let path = top.join("a/b/file");
        let file = RealDisk.open(&path, Open::New).unwrap();
        assert!(RealDisk.open(&path, Open::New).is_err(), "it exists");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // More slices than one call takes.
        let pieces: Vec<[u8; 3]> = (0..3000u32).map(|n| [n as u8, (n >> 8) as u8, 7]).collect();
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|p| IoSlice::new(p)).collect();
        file.write_at(5, &mut slices).unwrap();
        file.sync().unwrap();
        let mut back = vec![0; 9000];
        read_exact_at(&*file, 5, &mut back).unwrap();
        assert_eq!(back, pieces.concat());
        file.allocate(1 << 20).unwrap();
        assert_eq!(file.len().unwrap(), 1 << 20);
        write_all_at(&*file, 0, b"x").unwrap();
        RealDisk.rename(&path, &top.join("a/b/other")).unwrap();
        RealDisk.sync_directory(&top.join("a/b")).unwrap();
        assert_eq!(RealDisk.list(&top.join("a/b")).unwrap(), [PathBuf::from("other")]);
        assert!(RealDisk.free(&top).unwrap() > 0);
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn a_lock_excludes_until_it_is_dropped() {
        let top = directory("lock");
        RealDisk.create_directory(&top).unwrap();
        let held = RealDisk.lock(&top.join("lock")).unwrap();
        let refused = RealDisk.lock(&top.join("lock")).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        assert!(RealDisk.lock(&top.join("lock")).is_ok());
        fs::remove_dir_all(top).unwrap();
    }
}
