from mvrecon.engine.keys import Key
from mvrecon.engine.partial import PartialArtifact
from mvrecon.engine.store import Artifact


def test_scratch_items_are_there_until_the_stage_is_done(tmp_path):
    out = PartialArtifact(tmp_path / "key.partial")
    item = out.scratch_item("cues/000003.txt")
    out.write_text(item, "for now")
    out.write_text("kept.txt", "for ever")
    assert PartialArtifact(tmp_path / "key.partial").has(item)
    assert out.path(item).is_relative_to(out.scratch())
    out.finish(Key({}), {}, tmp_path / "key")
    assert Artifact("toy", tmp_path / "key").names() == ["kept.txt"]
