"""The choice of the class attribute: every rule with a small set, and every question that must be asked."""

import numpy as np
import pytest

from limner.core.annotation import Annotation, AnnotationSet, Points, Region
from limner.core.errors import UsageError
from limner.data.formats.classes import choose_classes
from limner.data.formats.via_regions import Question, ViaFile

DOT = Points(np.array([(1.0, 2.0)]))
NO_QUESTIONS = ViaFile()


def found(*answers, record=NO_QUESTIONS, labels=(), **more):
    """A set of one region for each dict of answers."""
    names = labels or [""] * len(answers)
    regions = [
        Region(label, DOT, attributes=a, where=f"r{i}") for i, (a, label) in enumerate(zip(answers, names, strict=True))
    ]
    return AnnotationSet("via2", (Annotation("a.png", tuple(regions)),), record=record, **more)


def asking(**kinds):
    return ViaFile(questions={name: Question(kind, {"b": "Bird", "c": "Cup"}) for name, kind in kinds.items()})


def labels_of(chosen):
    return [region.label for image in chosen.annotations.images for region in image.regions]


def choose(*answers, class_attribute=None, default_class=None, **more):
    return choose_classes(found(*answers, **more), class_attribute=class_attribute, default_class=default_class)


def test_the_only_attribute_names_the_class():
    chosen = choose({"kind": "b"}, {"kind": "a"}, {"kind": "b"})
    assert labels_of(chosen) == ["b", "a", "b"] and chosen.classes == ("b", "a") == chosen.annotations.classes
    assert chosen.attributes == ("kind",) and not chosen.problems
    assert chosen.words == "the class is the attribute 'kind' (3 regions: b 2, a 1)"


def test_radio_and_dropdown_come_before_text_and_declare_their_options():
    answers = [{"name": "x", "kind": "Cup", "note": "1"}, {"name": "x", "kind": "Cup", "note": "2"}]
    for kind in ("radio", "dropdown"):
        chosen = choose(*answers, record=asking(kind=kind, name="text"))
        assert chosen.attributes == ("kind",) and labels_of(chosen) == ["Cup", "Cup"] and not chosen.problems
        assert chosen.classes == ("Bird", "Cup")  # those without a region too, in the order of the options
        assert kind in chosen.words


def test_a_dropdown_that_most_regions_do_not_answer_is_not_the_class():
    chosen = choose({"name": "x", "kind": "Cup"}, {"name": "y"}, {"name": "y"}, record=asking(kind="dropdown"))
    assert chosen.attributes == ("name",)


def test_an_attribute_with_few_answers_comes_before_one_with_many():
    chosen = choose(*({"id": f"object {i}", "name": "ab"[i % 2]} for i in range(40)))
    assert chosen.attributes == ("name",) and chosen.classes == ("a", "b")


def test_a_text_that_is_different_nearly_everywhere_is_no_class():
    chosen = choose(*({"note": f"object {i}"} for i in range(40)))
    assert [p.code for p in chosen.problems] == ["class-attribute"] and labels_of(chosen) == [""] * 40
    assert "'note' (40 regions: object 0 1, " in chosen.problems[0].message


def test_an_attribute_that_all_regions_answer_comes_before_one_that_some_do():
    chosen = choose({"kind": "a", "mood": "x"}, {"kind": "b"}, {"kind": "a", "mood": "y"})
    assert chosen.attributes == ("kind",) and not chosen.problems


def test_two_that_agree_everywhere_serve_alike():
    chosen = choose({"inseto": "kudzu", "insect": "kudzu"}, {"inseto": "ant", "insect": "ant"})
    assert chosen.attributes == ("inseto",) and not chosen.problems and "'insect' says the same" in chosen.words


def test_two_that_disagree_are_a_question_with_counts_and_remedy():
    chosen = choose({"label": "o", "object": "o"}, {"label": "z", "object": "o"})
    (problem,) = chosen.problems
    assert problem.code == "class-attribute" and labels_of(chosen) == ["", ""] and chosen.classes == ()
    for part in (
        "'label' (2 regions: o 1, z 1)",
        "'object' (2 regions: o 2)",
        "--class-attribute NAME",
        "--default-class NAME",
    ):
        assert part in problem.message
    asked = choose({"label": "o", "object": "o"}, {"label": "z", "object": "o"}, class_attribute="label")
    assert labels_of(asked) == ["o", "z"] and not asked.problems and "as asked for" in asked.words
    default = choose({"label": "o", "object": "o"}, {"label": "z", "object": "o"}, default_class="thing")
    assert labels_of(default) == ["thing", "thing"] and not default.problems and "'thing'" in default.words


def test_two_dropdowns_that_disagree_are_a_question_though_a_text_would_do():
    chosen = choose({"a": "Bird", "b": "Cup", "c": "x"}, record=asking(a="dropdown", b="radio"))
    assert [p.code for p in chosen.problems] == ["class-attribute"]


def test_one_question_under_two_names_is_put_together():
    chosen = choose({"name": "damage"}, {"Class Name": "damage"}, {"name": "rust"})
    assert labels_of(chosen) == ["damage", "damage", "rust"] and not chosen.problems
    apart = choose({"tree": "oak"}, {"car": "red"})
    assert [p.code for p in apart.problems] == ["class-attribute"]  # no answer in common: two questions
    both = choose({"tree": "oak"}, {"car": "red"}, class_attribute="tree,car")
    assert labels_of(both) == ["oak", "red"] and not both.problems


@pytest.mark.parametrize("nothing", ["", "  ", "unknown", "not_defined", "Unknown", None, []])
def test_demo_defaults_and_empty_answers_are_none(nothing):
    chosen = choose({"type": nothing, "name": "cat"}, {"type": nothing, "name": "dog"})
    assert chosen.attributes == ("name",)
    partly = choose({"name": "cat"}, {"name": nothing}, {})
    (problem,) = partly.problems
    assert (problem.code, problem.where) == ("unlabelled", "r1") and "2 of 3 regions" in problem.message
    assert "never taken for background" in problem.message and labels_of(partly) == ["cat", "", ""]
    filled = choose({"name": "cat"}, {"name": nothing}, {}, default_class="thing")
    assert labels_of(filled) == ["cat", "thing", "thing"] and not filled.problems and filled.classes == ("cat", "thing")
    assert "2 regions" in filled.words


def test_no_attribute_at_all_is_a_question():
    chosen = choose({}, {})
    assert [p.code for p in chosen.problems] == ["no-class"] and "--default-class" in chosen.problems[0].message
    assert labels_of(choose({}, {}, default_class="balloon")) == ["balloon", "balloon"]


def test_ticks():
    many = [{"quality": ["good", "sharp"], "kind": "a"}, {"quality": ["good"], "kind": "b"}]
    assert choose(*many).attributes == ("kind",)
    (problem,) = choose(*many, class_attribute="quality").problems
    assert problem.code == "several-ticks" and "1 regions have several ticks" in problem.message
    (problem,) = choose(
        *many, class_attribute="quality", default_class="x"
    ).problems  # what was asked for is not passed over
    assert problem.code == "several-ticks"
    single = choose({"kind": ["a"]}, {"kind": ["b"]})
    assert labels_of(single) == ["a", "b"] and not single.problems


def test_an_attribute_that_is_not_there():
    (problem,) = choose({"colour": "a"}, class_attribute="color", default_class="x").problems
    assert problem.code == "unknown-attribute" and "did you mean 'colour'" in problem.message
    (problem,) = choose({}, class_attribute="color").problems
    assert "there are no attributes" in problem.message


def test_a_name_with_a_comma_is_one_name():
    assert choose({"a,b": "x", "a": "y"}, class_attribute="a,b").attributes == ("a,b",)


def test_labels_of_the_file_pass_through():
    chosen = choose({"side": "left"}, {"side": "right"}, labels=("cat", " "), classes=("dog", "cat"))
    assert labels_of(chosen) == ["cat", ""] and [p.code for p in chosen.problems] == ["unlabelled"]
    chosen = choose(
        {"side": "left"}, {"side": "right"}, labels=("cat", ""), classes=("dog", "cat"), default_class="thing"
    )
    assert labels_of(chosen) == ["cat", "thing"] and chosen.classes == ("dog", "cat", "thing") and not chosen.problems
    asked = choose({"side": "left"}, {"side": "right"}, labels=("cat", "dog"), class_attribute="side")
    assert labels_of(asked) == ["left", "right"]


def test_what_is_not_known_is_no_class():
    chosen = choose({"kind": "a"}, {"kind": "__ignore__"})
    assert chosen.classes == ("a",) and not chosen.problems
    assert [r.is_ignored for r in chosen.annotations.images[0].regions] == [False, True]
    again = choose_classes(chosen.annotations)
    assert again.annotations == chosen.annotations and again.classes == ("a",)


def test_no_regions_are_no_question():
    empty = AnnotationSet("via2", (Annotation("a.png"),))
    assert (
        not choose_classes(empty, class_attribute="x").problems
        and choose_classes(empty).words == "there are no regions"
    )


def test_an_empty_default_is_wrong_usage():
    with pytest.raises(UsageError, match="--default-class"):
        choose({}, default_class=" ")


def test_names_are_kept_to_the_letter():
    names = ["Right ", "__proto__", "<b>", "=1", "a\u202eb", "C1"]
    chosen = choose(*({"kind": name} for name in names))
    assert labels_of(chosen) == names and chosen.classes == tuple(names)


def test_many_attributes_and_long_answers_take_no_long_time_and_no_long_message():
    answers = [{f"attribute {i}": "x" * 1000, f"b{i}": i} for i in range(3000)]
    (problem,) = choose(*answers).problems
    assert len(problem.message) < 3000
    (problem,) = choose(*answers, class_attribute="zzz" * 1000).problems
    assert len(problem.message) < 6000
