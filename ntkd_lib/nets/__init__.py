"""Networks: digital teachers and the digital back ends of hybrid students."""
