"""The model's API server answers what a real one answered."""

import pytest

from pvkit.backends.objects import Obj
from pvkit.conformance.api_answers import Asked, cases, expected


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["case"].replace(" ", "-"))
def test_the_model_answers_as_a_real_api_server_does(case: Obj) -> None:
    asked = Asked(case)
    real = [{"ask": step["ask"], **expected(step)} for step in case["steps"]]
    model = [{"ask": step["ask"], **asked.answer(step["ask"])} for step in case["steps"]]
    assert real == model


def test_each_case_has_a_name_of_its_own() -> None:
    names = [case["case"] for case in cases()]
    assert sorted(set(names)) == sorted(names)


def test_good_and_bad_requests_are_both_among_the_cases() -> None:
    codes = {step["answer"]["code"] for case in cases() for step in case["steps"]}
    assert {200, 201, 400, 403, 404, 409, 422, 500} == codes
