"""zeng2022 Sec. 5, pursuit-evasion: runs on PettingZoo's board and on the exactly solved miniature."""
