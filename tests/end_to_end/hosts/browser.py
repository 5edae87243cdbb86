"""A real browser: Chromium without a window, driven by Selenium."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from programs import HANGS


class Chromium:
    """A browser with a profile of its own."""

    def __init__(self, driver: webdriver.Chrome):
        self.driver = driver

    def visit(self, url: str) -> None:
        self.driver.get(url)

    @property
    def url(self) -> str:
        return self.driver.current_url

    @property
    def text(self) -> str:
        """What the page shows."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def fill_in(self, **fields: str) -> None:
        """Types into the form's fields, and sends it."""
        for name, text in fields.items():
            field = self.driver.find_element(By.NAME, name)
            field.send_keys(text)
        field.submit()

    def wait_for(self, selector: str, text: str) -> None:
        """Waits until the element shows this text."""
        WebDriverWait(self.driver, HANGS).until(
            lambda driver: driver.find_element(By.CSS_SELECTOR, selector).text == text,
            f"{selector} never showed {text!r}",
        )

    def wait_until(self, ready, what: str) -> None:
        WebDriverWait(self.driver, HANGS).until(lambda _: ready(), what)

    def run(self, script: str, *arguments):
        """What a script in the page returns."""
        return self.driver.execute_script(script, *arguments)

    def forget(self, cookie: str) -> None:
        self.driver.delete_cookie(cookie)


@contextmanager
def chromium(directory: Path) -> Iterator[Chromium]:
    """Runs Debian's Chromium, with its profile in `directory`."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in (
        "--headless=new",
        f"--user-data-dir={directory / 'chromium'}",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-first-run",
        "--no-proxy-server",
        "--disable-background-networking",
        # As root there is no sandbox, and nothing but the tests' own pages is visited.
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ):
        options.add_argument(argument)
    service = webdriver.ChromeService("/usr/bin/chromedriver")
    driver = webdriver.Chrome(options, service)
    try:
        driver.set_page_load_timeout(HANGS)
        yield Chromium(driver)
    finally:
        driver.quit()
