//! The pages: links between them lead somewhere, and the README stays short.

use super::files;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The anchor that a heading has on the usual sites.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Whether the page has a heading with this anchor. Lines of code may look like headings, and do no harm.
fn has(page: &Path, wanted: &str) -> bool {
    fs::read_to_string(page).unwrap().lines().any(|line| line.starts_with('#') && anchor(line) == wanted)
}

#[test]
fn links_between_pages_lead_somewhere_and_to_every_page() {
    let fronts =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "examples/real/README.md"].map(PathBuf::from);
    let is_page = |page: &PathBuf| page.extension().is_some_and(|end| end == "md");
    let pages: Vec<PathBuf> = files(Path::new("docs")).into_iter().filter(is_page).collect();
    let mut found = BTreeSet::new();
    for page in pages.iter().chain(&fronts) {
        let text = fs::read_to_string(page).unwrap();
        let targets = text.match_indices("](").filter_map(|(at, _)| text[at + 2..].split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.contains(char::is_whitespace)) {
            let (file, wanted) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(file.exists(), "{}: there is no {target}", page.display());
            assert!(wanted.is_empty() || has(&file, wanted), "{}: {target} has no such heading", page.display());
            if file != *page {
                found.insert(file.canonicalize().unwrap());
            }
        }
    }
    for page in pages {
        assert!(found.contains(&page.canonicalize().unwrap()), "no page leads to {}", page.display());
    }
}

#[test]
fn the_readme_has_at_most_150_lines() {
    assert!(fs::read_to_string("README.md").unwrap().lines().count() <= 150);
}
