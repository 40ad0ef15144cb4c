//! Files that are skills, files that are none, and starter skills.

use super::*;

fn library() -> (tempfile::TempDir, SkillLibrary) {
    let dir = tempfile::tempdir().unwrap();
    let library = SkillLibrary::new(dir.path().join("skills"));
    std::fs::create_dir(library.folder()).unwrap();
    (dir, library)
}

fn fault(library: &SkillLibrary, name: &str) -> String {
    let files = library.scan().unwrap();
    let file = files.iter().find(|file| file.name == name).unwrap_or_else(|| panic!("{name} is not listed: {files:?}"));
    file.skill.as_ref().unwrap_err().to_string()
}

#[test]
fn whatever_lies_in_the_folder_is_listed_with_its_fault_and_costs_the_others_nothing() {
    let (_dir, library) = library();
    let put = |name: &str, bytes: &[u8]| std::fs::write(library.folder().join(name), bytes).unwrap();
    put("good.rhai", b"fn main() {}");
    put("notes.txt", b"not a skill");
    put(".hidden.rhai", b"not a skill");
    put("empty.rhai", b" \n");
    put("binary.rhai", b"fn main() { \x00 }");
    put("latin.rhai", b"fn main() { \"\xe9\" }");
    put("marked.rhai", "\u{feff}//! description: D\nfn main() { 1 }".as_bytes());
    put("long.rhai", &vec![b'/'; 10 * 1024 * 1024]);
    put("cap.RHAI", b"fn main() {}");
    put("x.RHAI.rhai", b"fn main() {}");
    put("lies.rhai", b"//! hosts: *\n");
    for bad in ["Upper", "two words", "dot.ted", "weаther", "tab\there", "new\nline", "..", &"x".repeat(65)] {
        put(&format!("{bad}.rhai"), b"fn main() {}");
    }
    std::fs::create_dir(library.folder().join("folder.rhai")).unwrap();
    for (name, part) in [
        ("empty", "it is empty"),
        ("binary", "at byte 12"),
        ("latin", "at byte 13"),
        ("marked", "byte order mark"),
        ("long", "10485760 bytes"),
        ("lies", "line 1, column 12"),
        ("cap.RHAI", "its name ends in `.RHAI`, and a skill's in `.rhai`"),
        ("x.RHAI", "'.'"),
        ("Upper", "the skill name \"Upper\" holds 'U'"),
        ("two words", "' '"),
        ("dot.ted", "'.'"),
        ("weаther", "'а' (U+0430)"),
        ("tab\there", "'\\t'"),
        ("new\nline", "'\\n'"),
        (&"x".repeat(65), "65 bytes"),
        ("folder", "a folder"),
    ] {
        let fault = fault(&library, name);
        assert!(fault.contains(part), "{name:?}: {fault}");
    }
    let files = library.scan().unwrap();
    assert_eq!(files.iter().filter(|file| file.skill.is_ok()).count(), 1, "{files:?}");
    assert!(files.iter().all(|file| file.name != "notes" && file.name != ".hidden"));
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_not_followed_nor_waited_for() {
    let (dir, library) = library();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "fn main() {}").unwrap();
    std::os::unix::fs::symlink(&secret, library.folder().join("link.rhai")).unwrap();
    std::os::unix::fs::symlink("nowhere", library.folder().join("dangling.rhai")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        library.folder().join("pipe.rhai"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    for (name, part) in [("link", "a link"), ("dangling", "a link"), ("pipe", "no file")] {
        assert!(fault(&library, name).contains(part), "{name}");
    }
}

#[test]
fn a_file_is_read_again_when_it_changed_and_only_then() {
    let (_dir, library) = library();
    let path = library.folder().join("x.rhai");
    std::fs::write(&path, "fn main() { 1 }").unwrap();
    let first = library.scan().unwrap();
    let again = library.scan_anew(&first, false).unwrap().files;
    let skill = |files: &[SkillFile]| Arc::clone(files[0].skill.as_ref().unwrap());
    assert!(Arc::ptr_eq(&skill(&first), &skill(&again)), "an unchanged file was read again");
    // The same length, and the same time of change as far as a program can set it.
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, "fn main() { 2 }").unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    let changed = library.scan_anew(&again, false).unwrap().files;
    assert_ne!(skill(&changed).sha256, skill(&first).sha256, "a changed file was not read again");
    std::fs::remove_file(&path).unwrap();
    assert!(library.scan_anew(&changed, false).unwrap().files.is_empty());
}

#[test]
fn more_files_than_the_bound_are_listed_and_not_read() {
    let (_dir, library) = library();
    for n in 0..SKILLS_MAX + 3 {
        std::fs::write(library.folder().join(format!("s{n:04}.rhai")), "fn main() {}").unwrap();
    }
    let files = library.scan().unwrap();
    let refused: Vec<_> = files.iter().filter(|file| file.skill.is_err()).collect();
    assert_eq!((files.len(), refused.len()), (SKILLS_MAX + 3, 3));
    assert!(matches!(refused[0].skill, Err(SkillFault::TooMany)));
    // Which are within it is judged anew, though no file changed.
    let is_good = |files: &[SkillFile], name: &str| files.iter().find(|file| file.name == name).unwrap().skill.is_ok();
    std::fs::remove_file(library.folder().join("s0000.rhai")).unwrap();
    let fewer = library.scan_anew(&files, false).unwrap().files;
    assert!(is_good(&fewer, "s0256") && !is_good(&fewer, "s0257"));
    std::fs::write(library.folder().join("s0000.rhai"), "fn main() {}").unwrap();
    assert!(!is_good(&library.scan_anew(&fewer, false).unwrap().files, "s0256"));
}

#[test]
fn starter_skills_are_offered_once_and_overwrite_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let library = SkillLibrary::new(dir.path().join("work/skills"));
    std::fs::create_dir_all(library.folder()).unwrap();
    let own = library.folder().join("weather.rhai");
    std::fs::write(&own, "fn main() { \"mine\" }").unwrap();
    let copied = library.offer_starters().unwrap();
    assert_eq!(copied, ["feed", "site_status", "textstat", "units"]);
    assert_eq!(std::fs::read_to_string(&own).unwrap(), "fn main() { \"mine\" }");
    assert!(!library.folder().join("weather.cases.json").exists(), "the cases of another weather");
    assert!(library.scan().unwrap().iter().all(|file| file.skill.is_ok()));
    let deleted = library.folder().join("feed.rhai");
    std::fs::remove_file(&deleted).unwrap();
    assert!(library.offer_starters().unwrap().is_empty() && !deleted.exists(), "a deleted skill came back");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(library.folder().join("units.rhai")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn starter_skills_are_there_before_they_are_copied_and_make_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    let library = SkillLibrary::new(dir.path().join("skills"));
    let good = |library: &SkillLibrary| {
        let files = library.scan_with_starters().unwrap().files;
        files.iter().map(|file| (file.name.clone(), file.skill.as_ref().unwrap().sha256)).collect::<Vec<_>>()
    };
    let before = good(&library);
    assert_eq!(before.len(), STARTER_SKILLS.len());
    assert!(!library.folder().exists(), "looking at them made a folder");
    assert_eq!(library.offer_starters().unwrap().len(), STARTER_SKILLS.len());
    assert_eq!(good(&library), before, "an approval of one must outlive its copying");
    // Its owner's file of the same name counts, and one that was deleted stays away.
    std::fs::write(library.folder().join("units.rhai"), "fn main() {}").unwrap();
    std::fs::remove_file(library.folder().join("feed.rhai")).unwrap();
    let after = good(&library);
    assert!(after.len() == 4 && after.iter().all(|file| file.0 != "feed"), "{after:?}");
    assert_eq!(after.iter().filter(|file| before.contains(file)).count(), 3);
    // A file beside starters that were never copied counts as well.
    let other = SkillLibrary::new(dir.path().join("other"));
    std::fs::create_dir(other.folder()).unwrap();
    std::fs::write(other.folder().join("weather.rhai"), "fn main() {}").unwrap();
    assert_eq!(good(&other).iter().filter(|file| before.contains(file)).count(), 4);
    assert_eq!(good(&other).len(), 5);
}

#[test]
fn a_folder_that_is_not_there_has_no_skills_and_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let library = SkillLibrary::new(dir.path().join("skills"));
    assert!(library.scan().unwrap().is_empty() && !library.folder().exists());
    std::fs::write(library.folder(), "a file").unwrap();
    assert!(library.scan().is_err() && library.offer_starters().is_err());
}

#[cfg(unix)]
#[test]
fn a_bad_note_costs_the_starters_and_nothing_else() {
    let (dir, library) = library();
    std::fs::write(library.folder().join("ok.rhai"), "fn main() {}").unwrap();
    let note = library.folder().join(".starter-skills");
    let elsewhere = dir.path().join("elsewhere");
    std::fs::write(&elsewhere, "units\n").unwrap();
    for (make, part) in [
        ((|note, _| std::fs::create_dir(note).unwrap()) as fn(&Path, &Path), "it is a folder"),
        (|note, elsewhere| std::os::unix::fs::symlink(elsewhere, note).unwrap(), "it is a link"),
        (|note, _| std::fs::write(note, [0xff]).unwrap(), "no UTF-8"),
    ] {
        make(&note, &elsewhere);
        let SkillScan { files, without_starters } = library.scan_with_starters().unwrap();
        assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["ok"]);
        let error = without_starters.unwrap();
        assert!(error.to_string().contains(part) && error.to_string().contains(".starter-skills"), "{error}");
        assert!(error.fix().contains("move it away"));
        assert!(library.offer_starters().unwrap_err().to_string().contains(part));
        let _ = std::fs::remove_file(&note).or_else(|_| std::fs::remove_dir(&note));
    }
    assert!(library.scan_with_starters().unwrap().without_starters.is_none());
}
