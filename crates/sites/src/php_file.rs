//! Evaluates a site's own PHP file among the files that it includes, without running PHP.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use hallpass_php_literals::{Files, Included, Literals, Surroundings, read_among};
use zeroize::Zeroizing;

/// The longest file that is read, in bytes, and one more.
const LONGEST: u64 = (128 << 10) + 1;

/// What a file says.
pub(crate) struct Evaluated {
    pub literals: Literals,
    /// The files that it includes, in their order.
    pub included: Vec<PathBuf>,
}

/// Evaluates `source`, which is the file at `path`, with `around` it what is set before it runs. An
/// included file called `empty` counts as empty.
///
/// # Errors
/// Why the file cannot be read, to follow its path.
pub(crate) fn evaluate(
    path: &Path,
    source: &[u8],
    around: Surroundings,
    empty: Option<&'static str>,
) -> Result<Evaluated, String> {
    // PHP itself calls a file by where it really is.
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let real = real.to_str().ok_or("the path is not Unicode")?;
    let surroundings = Surroundings {
        path: real.to_owned(),
        ..around
    };
    let mut disk = Disk {
        empty,
        included: Vec::new(),
    };
    let literals = read_among(source, surroundings, &mut disk);
    Ok(Evaluated {
        literals: literals.map_err(|error| error.to_string())?,
        included: disk.included,
    })
}

/// The bytes of the file at `path`, up to the longest that is read.
///
/// # Errors
/// The system's.
pub(crate) fn bytes(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut source = Zeroizing::new(Vec::new());
    File::open(path)?.take(LONGEST).read_to_end(&mut source)?;
    Ok(source)
}

/// The files of this machine.
struct Disk {
    empty: Option<&'static str>,
    /// Those that have been read.
    included: Vec<PathBuf>,
}

impl Files for Disk {
    fn include(&mut self, path: &str) -> Included {
        let path = Path::new(path);
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some() && name == self.empty {
            return Included::Nothing;
        }
        match path.is_file().then(|| bytes(path)) {
            Some(Ok(source)) => {
                self.included.push(path.to_owned());
                Included::File(source)
            }
            _ => Included::Unknown,
        }
    }

    fn exists(&mut self, path: &str) -> Option<bool> {
        Path::new(path).try_exists().ok()
    }

    fn is_file(&mut self, path: &str) -> Option<bool> {
        match std::fs::metadata(path) {
            Ok(metadata) => Some(metadata.is_file()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(false),
            Err(_) => None,
        }
    }
}
