//! Reads Traefik's files, YAML and TOML, with those of the file provider that they name.

use std::path::{Path, PathBuf};

use super::{DEPTH, collect};
use crate::doctor::directives::{MOST_FILES, at};
use crate::doctor::yaml::Setting;
use crate::doctor::{toml, yaml};

/// Providers whose routers and middlewares stand in no file: labels of containers, and the like
/// (pkg/config/static/static_config.go of Traefik 3).
const ELSEWHERE: [&str; 13] = [
    "docker",
    "swarm",
    "kubernetesIngress",
    "kubernetesCRD",
    "kubernetesGateway",
    "consulCatalog",
    "nomad",
    "ecs",
    "consul",
    "etcd",
    "zooKeeper",
    "redis",
    "rest",
];

/// A setting, and its file.
pub struct Placed {
    file: PathBuf,
    pub setting: Setting,
}

impl Placed {
    /// The keys that lead to it.
    pub fn keys(&self) -> Vec<&str> {
        self.setting.path.iter().map(String::as_str).collect()
    }

    pub fn at(&self) -> String {
        at(&self.file, self.setting.line)
    }
}

/// The settings of the file at `path`, or of the files in it; and what else has some, which is not
/// read.
///
/// # Errors
/// What cannot be read.
pub fn read(path: &Path) -> Result<(Vec<Placed>, Option<String>), String> {
    let (mut settings, mut unread) = (Vec::new(), None);
    let mut files = found(path)?;
    let mut seen = 0;
    while let Some(file) = files.get(seen).cloned() {
        seen += 1;
        if seen > MOST_FILES {
            return Err("there are too many files".to_owned());
        }
        let wrong = |error: String| format!("{}: {error}", file.display());
        let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
        let is_toml = file.extension().is_some_and(|it| it == "toml");
        let read = if is_toml { toml::read } else { yaml::read };
        let of_file = read(&text).map_err(wrong)?;
        for setting in &of_file {
            let keys: Vec<&str> = setting.path.iter().map(String::as_str).collect();
            if let ["providers", "file", "directory" | "filename"] = *keys {
                // Relative to where Traefik was started, which is mostly beside its file.
                let base = file.parent().unwrap_or(Path::new("/"));
                for more in found(&base.join(&setting.value))? {
                    if !files.contains(&more) {
                        files.push(more);
                    }
                }
            }
        }
        unread = unread.or_else(|| elsewhere(&file, &text));
        settings.extend(of_file.into_iter().map(|setting| Placed {
            file: file.clone(),
            setting,
        }));
    }
    Ok((settings, unread))
}

fn found(path: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let wrong = |error| format!("{}: {error}", path.display());
    collect(path, DEPTH, &mut files).map_err(wrong)?;
    let kinds = ["yml", "yaml", "toml"];
    files.retain(|file| {
        let kind = file.extension().unwrap_or_default();
        kinds.iter().any(|it| kind == *it)
    });
    Ok(files)
}

/// A provider of `text`, the file at `file`, whose settings stand in no file.
fn elsewhere(file: &Path, text: &str) -> Option<String> {
    let mut is_inside = false;
    for (line, number) in text.lines().zip(1..) {
        let name = line.trim().trim_matches(['[', ']']);
        is_inside |= name.starts_with("providers");
        let name = name.strip_prefix("providers.").unwrap_or(name);
        let name = name.split([':', '.', ']', ' ']).next().unwrap_or_default();
        let provider = ELSEWHERE.iter().find(|it| it.eq_ignore_ascii_case(name));
        if let Some(provider) = provider.filter(|_| is_inside) {
            let place = at(file, number);
            let place = place.trim_start_matches("read ");
            return Some(format!("what the provider {provider} finds ({place})"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_file_provider_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
        std::fs::create_dir(path("dynamic")).unwrap();
        write(
            "traefik.yml",
            "providers:\n  file:\n    directory: dynamic\n",
        );
        write("dynamic/a.toml", "[http.routers.web]\nrule = \"x\"\n");
        write("dynamic/b.yaml", "http: {routers: {other: {rule: y}}}\n");
        write("dynamic/key.pem", "{{{");
        let (settings, unread) = read(&path("traefik.yml")).unwrap();
        let keys: Vec<String> = settings.iter().map(|it| it.keys().join(".")).collect();
        let files = ["http.routers.web.rule", "http.routers.other.rule"];
        assert_eq!(keys, [&["providers.file.directory"][..], &files].concat());
        assert_eq!(unread, None);
        // Each file once, wherever it is named.
        assert_eq!(read(directory.path()).unwrap().0.len(), 3);
        write(
            "traefik.yml",
            "providers:\n  file:\n    filename: nowhere.yml\n",
        );
        assert!(read(&path("traefik.yml")).is_err());
    }

    #[test]
    fn what_stands_in_no_file_is_said() {
        let file = Path::new("/etc/traefik/traefik.yml");
        for text in [
            "providers:\n  docker: {}\n",
            "providers:\n  docker:\n    endpoint: x\n",
            "[providers.docker]\n",
            "[providers]\n  [providers.docker]\n",
            "providers:\n  file:\n    filename: x\n  kubernetesCRD: {}\n",
        ] {
            assert!(elsewhere(file, text).is_some(), "{text}");
        }
        for text in [
            "http:\n  services:\n    redis:\n      loadBalancer: {}\n",
            "providers:\n  file:\n    directory: x\n",
            "# providers.docker\n",
        ] {
            assert_eq!(elsewhere(file, text), None, "{text}");
        }
    }
}
