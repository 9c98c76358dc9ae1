"""How much of a cluster is used, by a Ray that does all at once."""

from types import SimpleNamespace

import pytest

from stylehead.batch.cluster import AGAIN, SPARE, Cluster, Post
from stylehead.batch.events import Told


class Ray:
    """Does a task when its result is asked for, and counts those that wait."""

    def __init__(self, cores):
        self.cores, self.waiting, self.most = cores, 0, 0

    def cluster_resources(self):
        return {"CPU": float(self.cores)}

    def remote(self, **_):
        return lambda work: SimpleNamespace(remote=lambda *given: self._sent(work, given))

    def put(self, value):
        return value

    def get(self, task):
        self.waiting -= 1
        return task()

    def _sent(self, work, given):
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        return lambda: work(*given)


class StubbornRay(Ray):
    """Its second task does not heed an interrupt."""

    def __init__(self):
        super().__init__(4)
        self.ended = []

    def cancel(self, task, *, force):
        self.ended.append((task(), force))

    def wait(self, tasks, *, num_returns, timeout, fetch_local):
        assert num_returns == len(tasks) and timeout > 0 and not fetch_local
        stubborn = [task for task in tasks if task() == 12]
        return [task for task in tasks if task not in stubborn], stubborn


def test_what_is_ended_may_clean_up_before_it_is_killed():
    ray = StubbornRay()
    made = Cluster(ray, 3).ordered(lambda shared, one: shared + one, 10, list(range(20)))
    assert next(made) == 10
    made.close()
    assert ray.ended == [(11, False), (12, False), (12, True)]


@pytest.mark.parametrize(("most", "cores", "sent"), [(None, 4, 4 + SPARE), (3, 3, 3), (5, 4, 5)])
def test_no_more_of_a_cluster_is_used_than_is_allowed(most, cores, sent):
    ray = Ray(4)
    cluster = Cluster(ray, most)
    assert cluster.cores == cores
    made = cluster.ordered(lambda shared, one: shared + one, 10, list(range(20)))
    assert list(made) == list(range(10, 30))
    assert (ray.most, ray.waiting) == (sent, 0)


def test_what_is_begun_a_second_time_is_told():
    post = Post()
    for job in (3, 4, 3):
        post.begin(job)
    assert post.collect() == [Told(3, AGAIN)]
    assert post.collect() == []
